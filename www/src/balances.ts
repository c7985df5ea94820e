/**
 * What every account holds: one row an account, kept up to date by each event.
 *
 * The same rules answer for now (`store.view`) and for any day of the past (`store.project`).
 */
import { defineProjection } from "everfold";
import { account, amountOf } from "./ledger.ts";
import type { Hellers } from "./money.ts";

export interface Balance {
  account: string;
  owner: string;
  balance: Hellers;
  frozen: boolean;
  /** When the latest of its events happened. */
  lastActivity: number;
  /** How many events it has. */
  events: number;
}

export const balances = defineProjection({
  name: "balances",
  version: 1,
  from: [account],
  key: (event) => event.streamId,
  evolve: (row: Balance | undefined, event): Balance => {
    const next = row ?? unopened(event.streamId);
    next.balance += amountOf(event);
    next.lastActivity = Math.max(next.lastActivity, event.occurredAt);
    next.events += 1;
    if (event.type === "account.opened") next.owner = event.data.owner ?? "";
    if (event.type === "account.frozen") next.frozen = true;
    if (event.type === "account.unfrozen") next.frozen = false;
    return next;
  },
  indexes: { balance: (row) => row.balance, lastActivity: (row) => row.lastActivity },
});

function unopened(streamId: string): Balance {
  const id = streamId.slice("account-".length);
  return { account: id, owner: "", balance: 0, frozen: false, lastActivity: 0, events: 0 };
}
