/** One event of an account, replayed: what happened, the state before and after it, and the difference. */
import type { JsonPatch, RecordedEvent } from "everfold";
import { useCallback } from "react";
import { type Account, type AccountEvent, account } from "../../ledger.ts";
import { type Latest, useLatest } from "../../shell/latest.ts";
import { useLedger } from "../../shell/ledger-context.ts";

export interface Step {
  readonly event: RecordedEvent<AccountEvent>;
  readonly before: Account;
  readonly after: Account;
  readonly patch: JsonPatch;
}

/** Follows `version`. Only the event and the one before it are folded: the store begins at a snapshot. */
export function useStep(id: string, version: number): Latest<number, Step> {
  const ledger = useLedger();
  const ask = useCallback(
    async (wanted: number, signal: AbortSignal): Promise<Step> => {
      let before = account.initialState();
      for await (const { event, state, patch } of ledger.replay(account, id, {
        fromVersion: wanted - 1,
        atVersion: wanted,
        signal,
      })) {
        if (event.version === wanted) return { event, before, after: state, patch };
        before = state;
      }
      throw new Error(`account ${id} has no event ${wanted}`);
    },
    [ledger, id],
  );
  return useLatest(version, ask);
}
