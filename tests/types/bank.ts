/**
 * Definitions with one annotation each, for the claims about stores.
 */
import { defineAggregate, defineDecision, defineProjection, type Event, type Store } from "../../ts/index.js";

/** An interface on purpose: `data` need not be a type with an index signature. */
export interface Opened {
  owner: string;
}
export type AccountEvent =
  | Event<"account.opened", Opened>
  | Event<"account.deposited", { amount: number }>
  | Event<"account.frozen">;
export type AccountCommand = { type: "Open"; data: Opened } | { type: "Deposit"; data: { amount: number } };
export interface Balance {
  owner: string;
  balance: number;
}

export const account = defineAggregate({
  name: "account",
  version: 1,
  initialState: () => ({ balance: 0, frozen: false }),
  decide: (command: AccountCommand): AccountEvent | AccountEvent[] =>
    command.type === "Open"
      ? { type: "account.opened", data: command.data }
      : [{ type: "account.deposited", data: command.data }, { type: "account.frozen" }],
  evolve: (state, event) =>
    event.type === "account.deposited" ? { ...state, balance: state.balance + event.data.amount } : state,
});

export const counter = defineAggregate({
  name: "counter",
  version: 1,
  initialState: () => ({ count: 0 }),
  decide: (_: { type: "Count" }): Event<"counted"> => ({ type: "counted" }),
  evolve: (state) => ({ count: state.count + 1 }),
});

export const audit = defineDecision({
  name: "audit",
  version: 1,
  reads: (command: { account: string; counter: string }) => [
    account.ref(command.account),
    counter.ref(command.counter),
  ],
  decide: () => [[], [{ type: "counted" }]],
});

export const balances = defineProjection({
  name: "balances",
  version: 1,
  from: [account],
  events: ["account.opened", "account.deposited"],
  key: (event) => event.streamId,
  evolve: (row: Balance | undefined, event): Balance | undefined =>
    event.type === "account.opened" ? { owner: event.data.owner, balance: 0 } : row,
  indexes: { owner: (row) => row.owner, balance: (row) => row.balance },
});

export const activity = defineProjection({
  name: "activity",
  version: 1,
  key: (event) => event.streamId,
  evolve: (row: { seen: number } | undefined) => ({ seen: (row?.seen ?? 0) + 1 }),
});

/** A store that knows some of them: neither `counter` nor `activity`. */
export declare const store: Store<[typeof account], [typeof audit], [typeof balances]>;
