/**
 * What is inferred from the user's one annotation, each with its twin that must not compile.
 */
import {
  type CommandOf,
  defineAggregate,
  defineDecision,
  defineProjection,
  type Event,
  type EventOf,
  type RowOf,
  type StateOf,
  type Store,
} from "../../ts/index.js";

type Equal<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;
const proven = <_Claim extends true>() => {};

interface Opened {
  owner: string;
}
type AccountEvent =
  | Event<"account.opened", Opened>
  | Event<"account.deposited", { amount: number }>
  | Event<"account.frozen">;
type AccountCommand = { type: "Open"; data: Opened } | { type: "Deposit"; data: { amount: number } };

const account = defineAggregate({
  name: "account",
  version: 1,
  initialState: () => ({ balance: 0, frozen: false }),
  decide: (command: AccountCommand, state): AccountEvent | AccountEvent[] => {
    proven<Equal<typeof state, { balance: number; frozen: boolean }>>();
    return command.type === "Open"
      ? { type: "account.opened", data: command.data }
      : [{ type: "account.deposited", data: command.data }, { type: "account.frozen" }];
  },
  evolve: (state, event) => {
    proven<Equal<typeof event, AccountEvent>>();
    return event.type === "account.deposited" ? { ...state, balance: state.balance + event.data.amount } : state;
  },
  schemaVersions: { "account.opened": 2 },
  upcasters: { "account.opened": { 1: (data: { name: string }) => ({ owner: data.name }) } },
});

proven<Equal<StateOf<typeof account>, { balance: number; frozen: boolean }>>();
proven<Equal<EventOf<typeof account>, AccountEvent>>();
proven<Equal<CommandOf<typeof account>, AccountCommand>>();
proven<Equal<(typeof account)["name"], "account">>();

const other = defineAggregate({
  name: "other",
  version: 1,
  initialState: (): { count: number } => ({ count: 0 }),
  decide: (_: { type: "Count" }): Event<"other.counted"> => ({ type: "other.counted" }),
  evolve: (state) => ({ count: state.count + 1 }),
});

const transfer = defineDecision({
  name: "transfer",
  version: 1,
  reads: (command: { from: string; to: string }) => [account.ref(command.from), other.ref(command.to)],
  decide: (command, [from, to]) => {
    proven<Equal<typeof command, { from: string; to: string }>>();
    proven<Equal<typeof from, { balance: number; frozen: boolean }>>();
    proven<Equal<typeof to, { count: number }>>();
    return [[{ type: "account.deposited", data: { amount: 1 } }], [{ type: "other.counted" }]];
  },
});

interface Balance {
  owner: string;
  balance: number;
}
const balances = defineProjection({
  name: "balances",
  version: 1,
  from: [account],
  events: ["account.opened", "account.deposited"],
  key: (event) => event.streamId,
  evolve: (row: Balance | undefined, event, key): Balance | undefined => {
    proven<Equal<typeof event.type, "account.opened" | "account.deposited">>();
    proven<Equal<typeof key, string>>();
    return event.type === "account.opened" ? { owner: event.data.owner, balance: 0 } : row;
  },
  indexes: { owner: (row) => row.owner, balance: (row) => row.balance },
});
proven<Equal<RowOf<typeof balances>, Balance>>();

const everything = defineProjection({
  name: "everything",
  version: 1,
  key: (event) => event.streamId,
  evolve: (row: { seen: number } | undefined, event) => {
    proven<Equal<typeof event.data, unknown>>();
    return { seen: (row?.seen ?? 0) + 1 };
  },
});

declare const store: Store<[typeof account], [typeof transfer], [typeof balances]>;
declare function takesAny(store: Store): void;
takesAny(store);

const receipt = await store.execute(account, "1", { type: "Deposit", data: { amount: 1 } });
proven<Equal<typeof receipt.state.balance, number>>();
const both = await store.execute(transfer, { from: "a", to: "b" });
proven<Equal<(typeof both.streams)[1]["state"], { count: number }>>();
for await (const event of store.read({ types: ["account.deposited"] })) {
  proven<Equal<typeof event.data.amount, number>>();
}
for await (const event of store.read({ aggregate: "account" })) {
  proven<Equal<typeof event.type, AccountEvent["type"]>>();
}
for await (const event of store.read()) {
  proven<Equal<typeof event.type, AccountEvent["type"]>>();
}
const row = await store.view(balances).get("1");
proven<Equal<typeof row, Balance | undefined>>();
const list = await store.view(balances).list({ index: "owner", gte: "a" });
proven<Equal<(typeof list)[0]["row"], Balance>>();
// @ts-expect-error: no index of that name
store.view(balances).list({ index: "nobody" });
// @ts-expect-error: not registered
store.view(everything);
// @ts-expect-error: not registered
await store.execute(other, "1", { type: "Count" });
// @ts-expect-error: not a command of it
await store.execute(account, "1", { type: "Depose", data: { amount: 1 } });
