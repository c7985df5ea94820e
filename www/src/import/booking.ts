/** One commit of an import: a transaction, or the opening of the account that it is the first of. */
import { startOf } from "../day.ts";
import { type AccountEvent, account } from "../ledger.ts";
import type { Transaction } from "./transaction.ts";

export interface Booking {
  readonly commitId: string;
  readonly events: readonly (AccountEvent & { readonly streamId: string; readonly occurredAt: number })[];
  /** The line that asked for it. */
  readonly line: number;
  readonly opens: boolean;
}

/** What a row asks for. `opened` holds the accounts that exist, and learns of those that come to. */
export function* bookingsOf(line: number, transaction: Transaction, opened: Set<string>): Generator<Booking> {
  const { streamId } = account.ref(transaction.account);
  const occurredAt = startOf(transaction.day);
  if (!opened.has(transaction.account)) {
    opened.add(transaction.account);
    const commitId = `open-${transaction.account}`;
    yield { commitId, line, opens: true, events: [{ type: "account.opened", data: {}, streamId, occurredAt }] };
  }
  const commitId = `transaction-${transaction.id}`;
  yield { commitId, line, opens: false, events: [{ ...factOf(transaction), streamId, occurredAt }] };
}

function factOf(transaction: Transaction): AccountEvent {
  const { id, direction, amount, operation, category, reportedBalance, counterBank, counterAccount } = transaction;
  const data = {
    amount,
    transaction: id,
    ...(category && { note: category }),
    ...(operation && { operation }),
    ...(reportedBalance !== undefined && { reportedBalance }),
    ...(counterBank && { counterBank }),
    ...(counterAccount && { counterAccount }),
  };
  return { type: direction === "credit" ? "account.money_deposited" : "account.money_withdrawn", data };
}
