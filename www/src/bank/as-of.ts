/** The whole bank as of a day: the rules of `balances` folded over everything that had happened by its end. */
import { useCallback } from "react";
import { type Balance, balances } from "../balances.ts";
import { type Day, endOf } from "../day.ts";
import { type Latest, useLatest } from "../shell/latest.ts";
import { useLedger } from "../shell/ledger-context.ts";
import type { Ledger } from "../store.ts";

export async function balancesAsOf(ledger: Ledger, day: Day, signal: AbortSignal): Promise<readonly Balance[]> {
  // #region as-of
  const until = endOf(day);
  const then = await ledger.project(balances, { until, signal });
  const entries = await then.list();
  then.dispose();
  return entries.map(({ row }) => row);
  // #endregion
}

/** Follows `day`, and asks again when `now` (what the bank holds now) changes: an import may have added to the past. */
export function useBalancesAsOf(day: Day | null, now: unknown): Latest<Day, readonly Balance[]> {
  const ledger = useLedger();
  // biome-ignore lint/correctness/useExhaustiveDependencies: a change of `now` makes earlier answers out of date
  const ask = useCallback((wanted: Day, signal: AbortSignal) => balancesAsOf(ledger, wanted, signal), [ledger, now]);
  return useLatest(day, ask);
}
