/** The whole bank as of a day: the rules of `balances` folded over everything that had happened by its end. */
import type { ProjectOptions } from "everfold";
import { useCallback } from "react";
import { type Balance, balances } from "../balances.ts";
import { type Day, endOf } from "../day.ts";
import { type Ask, type Latest, useLatest } from "../shell/latest.ts";
import { useLedger } from "../shell/ledger-context.ts";
import type { Ledger } from "../store.ts";

export async function balancesAsOf(ledger: Ledger, day: Day, options: ProjectOptions): Promise<readonly Balance[]> {
  // #region as-of
  const until = endOf(day);
  const then = await ledger.project(balances, { until, ...options });
  const entries = await then.list();
  then.dispose();
  return entries.map(({ row }) => row);
  // #endregion
}

/** Follows `day`, and asks again when `now` (what the bank holds now) changes: an import may have added to the past. */
export function useBalancesAsOf(day: Day | null, now: unknown): Latest<Day, readonly Balance[]> {
  const ledger = useLedger();
  // biome-ignore lint/correctness/useExhaustiveDependencies: a change of `now` makes earlier answers out of date
  const ask: Ask<Day, readonly Balance[]> = useCallback(
    (wanted, signal, tell) =>
      balancesAsOf(ledger, wanted, { signal, onProgress: ({ processed, total }) => tell(processed / total) }),
    [ledger, now],
  );
  return useLatest(day, ask);
}
