/**
 * The small bank that these tests are about.
 */
import { defineAggregate } from "../../ts/aggregate.js";
import { defineDecision } from "../../ts/decision.js";
import type { Event } from "../../ts/event.js";
import { defineProjection } from "../../ts/projection.js";

export type AccountEvent =
  | Event<"account.opened", { owner: string }>
  | Event<"account.deposited", { amount: number }>
  | Event<"account.withdrawn", { amount: number }>
  | Event<"account.frozen">;

export type AccountCommand =
  | { type: "Open"; data: { owner: string } }
  | { type: "Deposit" | "Withdraw"; data: { amount: number } }
  | { type: "Freeze" };

export const opened = (owner: string): AccountEvent => ({ type: "account.opened", data: { owner } });
export const deposited = (amount: number): AccountEvent => ({ type: "account.deposited", data: { amount } });
export const withdrawn = (amount: number): AccountEvent => ({ type: "account.withdrawn", data: { amount } });
export const frozen: AccountEvent = { type: "account.frozen" };

export const deposit = (amount: number): AccountCommand => ({ type: "Deposit", data: { amount } });
export const withdraw = (amount: number): AccountCommand => ({ type: "Withdraw", data: { amount } });

export const account = defineAggregate({
  name: "account",
  version: 1,
  initialState: () => ({ balance: 0, frozen: false }),
  decide: (command: AccountCommand, state): AccountEvent | AccountEvent[] => {
    if (state.frozen) {
      throw new Error("the account is frozen");
    }
    switch (command.type) {
      case "Open":
        return opened(command.data.owner);
      case "Deposit":
        return command.data.amount === 0 ? [] : [deposited(command.data.amount)];
      case "Withdraw":
        if (command.data.amount > state.balance) {
          throw new Error(`not enough money: ${state.balance} is left`);
        }
        return withdrawn(command.data.amount);
      case "Freeze":
        return frozen;
    }
  },
  evolve: (state, event) => {
    switch (event.type) {
      case "account.opened":
        return state;
      case "account.deposited":
        return { ...state, balance: state.balance + event.data.amount };
      case "account.withdrawn":
        return { ...state, balance: state.balance - event.data.amount };
      case "account.frozen":
        return { ...state, frozen: true };
    }
  },
});

export const transfer = defineDecision({
  name: "transfer",
  version: 1,
  reads: (command: { from: string; to: string; amount: number }) => [
    account.ref(command.from),
    account.ref(command.to),
  ],
  decide: ({ amount }, [from, to]) => {
    if (from.frozen || to.frozen) {
      throw new Error("one of the accounts is frozen");
    }
    if (amount > from.balance) {
      throw new Error(`not enough money: ${from.balance} is left`);
    }
    return [[withdrawn(amount)], [deposited(amount)]];
  },
});

export interface Balance {
  owner: string;
  balance: number;
}

export const balances = defineProjection({
  name: "balances",
  version: 1,
  from: [account],
  events: ["account.opened", "account.deposited", "account.withdrawn"],
  key: (event) => event.streamId,
  evolve: (row: Balance | undefined, event): Balance | undefined => {
    switch (event.type) {
      case "account.opened":
        return { owner: event.data.owner, balance: 0 };
      case "account.deposited":
        return row && { ...row, balance: row.balance + event.data.amount };
      case "account.withdrawn":
        return row && { ...row, balance: row.balance - event.data.amount };
    }
  },
  indexes: { owner: (row) => row.owner, balance: (row) => row.balance },
});
