/**
 * The bank's rules: what an account may be asked, what it answers, and what follows from that.
 *
 * Plain data and pure functions. Nothing here knows a store, a page or a clock, so the same rules
 * decide in every tab and can be tested anywhere.
 *
 * Commands are asked and may be refused. Facts that arrive from elsewhere (an imported statement)
 * are not asked: they happened, and may take an account below zero.
 */
import { defineAggregate, defineDecision, type Event } from "everfold";
import { formatMoney, type Hellers } from "./money.ts";

/** What a statement tells about one movement of money beside its amount. All but the amount is payload. */
export interface Booking {
  readonly amount: Hellers;
  /** What it was for, in the words of the person or the bank. */
  readonly note?: string;
  /** The bank's own number of the transaction. */
  readonly transaction?: string;
  readonly operation?: string;
  /** The balance that the bank printed beside the row. Kept, never relied on. */
  readonly reportedBalance?: Hellers;
  readonly counterBank?: string;
  readonly counterAccount?: string;
}

export interface TransferSide {
  readonly amount: Hellers;
  readonly side: "sent" | "received";
  /** The account on the other side. */
  readonly account: string;
  readonly note?: string;
}

export type AccountEvent =
  | Event<"account.opened", { readonly owner?: string }>
  | Event<"account.money_deposited", Booking>
  | Event<"account.money_withdrawn", Booking>
  | Event<"account.money_transferred", TransferSide>
  | Event<"account.frozen", { readonly reason: string }>
  | Event<"account.unfrozen">;

export type AccountCommand =
  | { readonly type: "Open"; readonly data: { readonly owner: string } }
  | { readonly type: "Deposit"; readonly data: { readonly amount: Hellers; readonly note?: string } }
  | { readonly type: "Withdraw"; readonly data: { readonly amount: Hellers; readonly note?: string } }
  | { readonly type: "Freeze"; readonly data: { readonly reason: string } }
  | { readonly type: "Unfreeze" };

export interface Transfer {
  readonly type: "Transfer";
  readonly data: {
    readonly from: string;
    readonly to: string;
    readonly amount: Hellers;
    readonly note?: string;
  };
}

export interface Account {
  readonly opened: boolean;
  readonly owner: string;
  readonly balance: Hellers;
  readonly frozen: boolean;
}

/** The field of a form that a refusal is about. */
export type Field = "amount" | "to" | "owner" | "account";

/** Why a command was not carried out, in a sentence for the person who asked. */
export class Refusal extends Error {
  override readonly name = "Refusal";
  readonly field: Field;

  constructor(field: Field, message: string) {
    super(message);
    this.field = field;
  }
}

const initialState = (): Account => ({ opened: false, owner: "", balance: 0, frozen: false });

function decide(command: AccountCommand, account: Account): AccountEvent[] {
  switch (command.type) {
    case "Open":
      if (command.data.owner === "") throw new Refusal("owner", "Say whose account it is.");
      if (account.opened) throw new Refusal("owner", "Another tab has just taken this number. Try again.");
      return [{ type: "account.opened", data: command.data }];
    case "Deposit":
      mustReceive(account, command.data.amount);
      return [{ type: "account.money_deposited", data: command.data }];
    case "Withdraw":
      mustPay(account, command.data.amount);
      return [{ type: "account.money_withdrawn", data: command.data }];
    case "Freeze":
      mustBeOpen(account);
      return account.frozen ? [] : [{ type: "account.frozen", data: command.data }];
    case "Unfreeze":
      mustBeOpen(account);
      return account.frozen ? [{ type: "account.unfrozen" }] : [];
  }
}

function evolve(account: Account, event: AccountEvent): Account {
  switch (event.type) {
    case "account.opened":
      return { ...account, opened: true, owner: event.data.owner ?? "" };
    case "account.frozen":
      return { ...account, frozen: true };
    case "account.unfrozen":
      return { ...account, frozen: false };
    default:
      return { ...account, balance: account.balance + amountOf(event) };
  }
}

export const account = defineAggregate({ name: "account", version: 1, initialState, decide, evolve });

export const transfer = defineDecision({
  name: "transfer",
  version: 1,
  reads: ({ data }: Transfer) => [account.ref(data.from), account.ref(data.to)],
  decide: ({ data: { from, to, amount, note } }, [payer, payee]) => {
    if (from === to) throw new Refusal("to", "Choose another account: this is the one you are paying from.");
    mustPay(payer, amount);
    if (!payee.opened) throw new Refusal("to", `There is no account ${to} in this bank.`);
    if (payee.frozen) throw new Refusal("to", `Account ${to} is frozen and takes no money.`);
    return [[sideOf("sent", to, amount, note)], [sideOf("received", from, amount, note)]];
  },
});

/** By how much an event changes the balance of its account: 0 if it moves no money. */
export function amountOf(event: AccountEvent): Hellers {
  switch (event.type) {
    case "account.money_deposited":
      return event.data.amount;
    case "account.money_withdrawn":
      return -event.data.amount;
    case "account.money_transferred":
      return event.data.side === "received" ? event.data.amount : -event.data.amount;
    default:
      return 0;
  }
}

function sideOf(side: TransferSide["side"], other: string, amount: Hellers, note?: string): AccountEvent {
  return { type: "account.money_transferred", data: { amount, side, account: other, ...(note ? { note } : {}) } };
}

// #region rules
function mustPay(account: Account, amount: Hellers): void {
  mustMove(account, amount);
  if (amount > account.balance) {
    const missing = formatMoney(amount - account.balance);
    const message = `That is ${missing} more than the account holds.`;
    throw new Refusal("amount", message);
  }
}
// #endregion

function mustReceive(account: Account, amount: Hellers): void {
  mustMove(account, amount);
  if (!Number.isSafeInteger(account.balance + amount)) {
    throw new Refusal("amount", "That is more than one account can hold.");
  }
}

function mustMove(account: Account, amount: Hellers): void {
  mustBeOpen(account);
  if (account.frozen) throw new Refusal("account", "This account is frozen. Unfreeze it to move money.");
  if (!Number.isSafeInteger(amount) || amount <= 0) {
    throw new Refusal("amount", "Enter an amount above zero.");
  }
}

function mustBeOpen(account: Account): void {
  if (!account.opened) throw new Refusal("account", "There is no such account in this bank.");
}
