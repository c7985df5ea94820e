/**
 * What definitions infer from one annotation each of command, event and row.
 */
import {
  type CommandOf,
  defineAggregate,
  defineDecision,
  defineProjection,
  type Event,
  type EventOf,
  type IndexOf,
  type RecordedEvent,
  type RowOf,
  type StateOf,
} from "../../ts/index.js";
import {
  type AccountCommand,
  type AccountEvent,
  account,
  type activity,
  type Balance,
  type balances,
  counter,
} from "./bank.js";
import { type Equal, proven } from "./claim.js";

// Events -------------------------------------------------------------------------------------------

const withoutData: Event<"frozen"> = { type: "frozen" };
// @ts-expect-error: an event type without data takes none
const withData: Event<"frozen"> = { type: "frozen", data: { reason: "court" } };
// @ts-expect-error: an event type with data needs it
const missingData: Event<"opened", { owner: string }> = { type: "opened" };
const anyData: Event<"noted", unknown> = { type: "noted", data: 1 };

declare const recorded: RecordedEvent<AccountEvent>;
proven<Equal<typeof recorded.occurredAt, number>>();
if (recorded.type === "account.deposited") {
  proven<Equal<typeof recorded.data, { amount: number }>>();
}
// @ts-expect-error: which data it has is not known before its type is
recorded.data.amount;
// @ts-expect-error: what is recorded cannot be changed
recorded.version = 2;

// Aggregates ---------------------------------------------------------------------------------------

proven<Equal<(typeof account)["name"], "account">>();
proven<Equal<StateOf<typeof account>, { balance: number; frozen: boolean }>>();
proven<Equal<EventOf<typeof account>, AccountEvent>>();
proven<Equal<CommandOf<typeof account>, AccountCommand>>();

defineAggregate({
  name: "inferred",
  version: 1,
  initialState: () => ({ balance: 0, frozen: false }),
  decide: (command: AccountCommand, state): AccountEvent[] => {
    proven<Equal<typeof state, { balance: number; frozen: boolean }>>();
    // @ts-expect-error: the state has no such property
    state.owner;
    return command.type === "Open" ? [{ type: "account.opened", data: command.data }] : [];
  },
  evolve: (state, event) => {
    proven<Equal<typeof event, AccountEvent>>();
    // @ts-expect-error: no event has this type
    if (event.type === "account.closed") {
      return state;
    }
    return state;
  },
  schemaVersions: { "account.opened": 2 },
  upcasters: { "account.opened": { 1: (data: { name: string }) => ({ owner: data.name }) } },
});

const rules = {
  initialState: () => 0,
  decide: (_: { type: "Count" }): Event<"counted"> => ({ type: "counted" }),
  evolve: (state: number) => state + 1,
};
// @ts-expect-error: an event type that the aggregate does not have
defineAggregate({ name: "a", version: 1, ...rules, schemaVersions: { closed: 2 } });
// @ts-expect-error: evolve must return the state
defineAggregate({ name: "a", version: 1, ...rules, evolve: (state: number) => String(state) });
// @ts-expect-error: decide answers at once
defineAggregate({ name: "a", version: 1, ...rules, decide: async (_: { type: "Count" }) => [] });
// @ts-expect-error: an aggregate has a version
defineAggregate({ name: "a", ...rules });
// @ts-expect-error: a definition cannot be changed
counter.snapshotEvery = 10;

// A decider of the ecosystem, with its own types, runs unchanged.
type ForeignEvent =
  | (Readonly<{ type: "ItemAdded"; data: { sku: string } }> & { readonly kind?: "Event" })
  | (Readonly<{ type: "CartConfirmed"; data: { at: string }; metadata: { by: string } }> & { readonly kind?: "Event" });
type ForeignCommand = Readonly<{ type: "AddItem"; data: { sku: string } }> & { readonly kind?: "Command" };
interface Decider<State, Command, Event> {
  decide: (command: Command, state: State) => Event | Event[];
  evolve: (currentState: State, event: Event) => State;
  initialState: () => State;
}
declare const cartDecider: Decider<{ items: string[] }, ForeignCommand, ForeignEvent>;
const cart = defineAggregate({ name: "cart", version: 1, ...cartDecider });
proven<Equal<EventOf<typeof cart>, ForeignEvent>>();
proven<Equal<CommandOf<typeof cart>, ForeignCommand>>();
proven<Equal<StateOf<typeof cart>, { items: string[] }>>();

// Decisions ----------------------------------------------------------------------------------------

const transfer = { name: "transfer", version: 1, reads: (command: { from: string; to: string }) => command };
defineDecision({
  ...transfer,
  reads: (command: { from: string; to: string }) => [account.ref(command.from), counter.ref(command.to)],
  decide: (command, [from, to]) => {
    proven<Equal<typeof command, { from: string; to: string }>>();
    proven<Equal<typeof from, { balance: number; frozen: boolean }>>();
    proven<Equal<typeof to, { count: number }>>();
    return [[{ type: "account.deposited", data: { amount: 1 } }], [{ type: "counted" }]];
  },
});
defineDecision({
  ...transfer,
  reads: (command: { from: string; to: string }) => [account.ref(command.from), counter.ref(command.to)],
  decide: (_, [from, to]) => [
    from.frozen ? [] : [{ type: "account.frozen" }],
    to.count > 0 ? [] : [{ type: "counted" }],
  ],
});
defineDecision({
  ...transfer,
  reads: (command: { from: string; to: string }) => [account.ref(command.from), counter.ref(command.to)],
  // @ts-expect-error: the lists are in the order of `reads`
  decide: () => [[{ type: "counted" }], [{ type: "account.deposited", data: { amount: 1 } }]],
});
defineDecision({
  ...transfer,
  reads: (command: { from: string; to: string }) => [account.ref(command.from), counter.ref(command.to)],
  // @ts-expect-error: a list for each aggregate read
  decide: () => [[]],
});
defineDecision({
  ...transfer,
  reads: (command: { from: string; to: string }) => [account.ref(command.from), counter.ref(command.to)],
  // @ts-expect-error: no event of the aggregate has this type
  decide: (_, [from]) => [from.frozen ? [] : [{ type: "account.closed" }], []],
});
defineDecision({
  ...transfer,
  reads: (command: { all: string[] }) => command.all.map((id) => account.ref(id)),
  decide: (_, states) => {
    proven<Equal<(typeof states)[number], { balance: number; frozen: boolean }>>();
    return states.map((): AccountEvent[] => [{ type: "account.frozen" }]);
  },
});

// Projections --------------------------------------------------------------------------------------

proven<Equal<RowOf<typeof balances>, Balance>>();
proven<Equal<IndexOf<typeof balances>, "owner" | "balance">>();
proven<Equal<IndexOf<typeof activity>, never>>();

const p = { name: "p", version: 1 } as const;
defineProjection({
  ...p,
  from: [account, counter],
  events: ["account.deposited", "counted"],
  key: (event) => {
    proven<Equal<typeof event.type, "account.deposited" | "counted">>();
    return [event.streamId, event.commitId];
  },
  evolve: (row: Balance | undefined, event, key): Balance | undefined => {
    proven<Equal<typeof key, string>>();
    // @ts-expect-error: not among `events`
    if (event.type === "account.opened") {
      return undefined;
    }
    return event.type === "account.deposited" ? { owner: key, balance: event.data.amount } : row;
  },
  indexes: {
    owner: (row) => {
      proven<Equal<typeof row, Balance>>();
      return row.owner;
    },
  },
});
defineProjection({
  ...p,
  from: [account],
  key: (event) => event.streamId,
  evolve: (row: Balance | undefined, event) => {
    proven<Equal<typeof event.type, AccountEvent["type"]>>();
    return row;
  },
});
defineProjection({
  ...p,
  events: ["account.opened"],
  key: (event) => event.streamId,
  evolve: (row: Balance | undefined, event) => {
    proven<Equal<typeof event.type, "account.opened">>();
    proven<Equal<typeof event.data, unknown>>();
    return row;
  },
});
const counting = { key: () => "", evolve: (row: Balance | undefined) => row };
// @ts-expect-error: no aggregate in `from` has this event
defineProjection({ ...p, ...counting, from: [account], events: ["counted"] });
// @ts-expect-error: a key is a text
defineProjection({ ...p, key: () => 1, evolve: (row: Balance | undefined) => row });
defineProjection({
  ...p,
  key: () => "",
  evolve: (row: Balance | undefined) => row,
  // @ts-expect-error: an index value is a text or a number
  indexes: { owner: (row) => new Date(row.balance) },
});

export { anyData, missingData, withData, withoutData };
