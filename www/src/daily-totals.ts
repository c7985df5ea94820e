/**
 * How the money of the whole bank moved, day by day: what the chart over the bank's life is drawn from.
 *
 * Transfers inside the bank cancel out and count as movements only.
 */
import { defineProjection } from "everfold";
import { type Day, dayOf } from "./day.ts";
import { account, amountOf } from "./ledger.ts";
import type { Hellers } from "./money.ts";

export interface DailyTotal {
  day: Day;
  /** By how much the bank's holdings changed. */
  change: Hellers;
  events: number;
}

export const dailyTotals = defineProjection({
  name: "daily_totals",
  version: 1,
  from: [account],
  key: (event) => dayOf(event.occurredAt),
  evolve: (row: DailyTotal | undefined, event, day): DailyTotal => {
    const next = row ?? { day, change: 0, events: 0 };
    next.change += amountOf(event);
    next.events += 1;
    return next;
  },
});
