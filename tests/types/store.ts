/**
 * What a store knows of its definitions.
 */
import {
  type AnyStore,
  isEverfoldError,
  type JsonPatch,
  openStore,
  type RecordedEvent,
  type Store,
} from "../../ts/index.js";
import { type AccountEvent, account, activity, audit, type Balance, balances, counter, store } from "./bank.js";
import { type Equal, proven } from "./claim.js";

// Executing ----------------------------------------------------------------------------------------

const receipt = await store.execute(account, "1", { type: "Deposit", data: { amount: 1 } }, { expectedVersion: 3 });
proven<Equal<typeof receipt.state, { balance: number; frozen: boolean }>>();
proven<Equal<(typeof receipt.events)[number], RecordedEvent<AccountEvent>>>();
const confirmed = await receipt.confirmed();
proven<Equal<typeof confirmed.state.balance, number>>();
proven<Equal<typeof confirmed.changed, boolean>>();
// @ts-expect-error: not a command of it
await store.execute(account, "1", { type: "Depose", data: { amount: 1 } });
// @ts-expect-error: an aggregate is one by its id
await store.execute(account, { type: "Deposit", data: { amount: 1 } });
// @ts-expect-error: not registered
await store.execute(counter, "1", { type: "Count" });
// @ts-expect-error: no such expectation
await store.execute(account, "1", { type: "Deposit", data: { amount: 1 } }, { expectedVersion: "none" });
// @ts-expect-error: a receipt cannot be changed
receipt.version = 1;

const audited = await store.execute(audit, { account: "1", counter: "2" });
proven<Equal<(typeof audited.streams)[1]["state"], { count: number }>>();
proven<Equal<(typeof audited.events)[number]["type"], AccountEvent["type"] | "counted">>();
// @ts-expect-error: a decision has no id of its own
await store.execute(audit, "1", { account: "1", counter: "2" });
// @ts-expect-error: a decision checks every version that it read, and no other
await store.execute(audit, { account: "1", counter: "2" }, { expectedVersion: 1 });

const loaded = await store.load(account, "1", { atVersion: 3 });
proven<Equal<typeof loaded.state, { balance: number; frozen: boolean }>>();
// @ts-expect-error: not registered
await store.load(counter, "1");

// Reading ------------------------------------------------------------------------------------------

for await (const event of store.read()) {
  proven<Equal<typeof event, RecordedEvent<AccountEvent>>>();
}
for await (const event of store.read({ aggregate: account, types: ["account.deposited"] })) {
  proven<Equal<typeof event.data, { amount: number }>>();
  // @ts-expect-error: the data of another event
  event.data.owner;
}
for await (const event of store.read({ aggregate: "account" })) {
  proven<Equal<typeof event.type, AccountEvent["type"]>>();
}
for await (const batch of store.read({ types: ["elsewhere"] }).batches()) {
  proven<Equal<(typeof batch)[number]["data"], unknown>>();
}
declare const types: string[];
for await (const event of store.read({ types, limit: 5 })) {
  proven<Equal<typeof event, RecordedEvent<AccountEvent>>>();
}
// @ts-expect-error: not registered
store.read({ aggregate: counter });
// @ts-expect-error: no such direction
store.read({ direction: "sideways" });

const end: () => void = store.subscribe({ types: ["account.opened"] }, ({ kind, commits }) => {
  proven<Equal<typeof kind, "appended" | "confirmed" | "rebased" | "refused">>();
  proven<Equal<NonNullable<(typeof commits)[0]>["events"][number]["data"], { owner: string }>>();
});
for await (const id of store.streams(account)) {
  proven<Equal<typeof id, string>>();
}

// Debugging ----------------------------------------------------------------------------------------

for await (const step of store.replay(account, "1", { fromVersion: 3 })) {
  proven<Equal<typeof step.event, RecordedEvent<AccountEvent>>>();
  proven<Equal<typeof step.state, { balance: number; frozen: boolean }>>();
  proven<Equal<typeof step.patch, JsonPatch>>();
  // @ts-expect-error: a patch cannot be changed
  step.patch.push();
}
const first = await store.findFirst(account, "1", (state, event) => {
  proven<Equal<typeof state, { balance: number; frozen: boolean }>>();
  proven<Equal<typeof event, RecordedEvent<AccountEvent>>>();
  return state.balance < 0;
});
// @ts-expect-error: there may be none
first.status;
if (first?.status === "found") {
  proven<Equal<typeof first.state.balance, number>>();
}
if (first?.error !== undefined) {
  proven<Equal<typeof first.status, "failed">>();
  // @ts-expect-error: there is no state after it
  first.state.balance;
}
// @ts-expect-error: not registered
store.replay(counter, "1");
// @ts-expect-error: not registered
store.findFirst(counter, "1", () => true);
// @ts-expect-error: a promise always holds
store.findFirst(account, "1", async () => true);

// Views --------------------------------------------------------------------------------------------

const view = store.view(balances);
const row = await view.get("1");
proven<Equal<typeof row, Balance | undefined>>();
const entries = await view.list({ index: "owner", gte: "A", limit: 2 });
proven<Equal<NonNullable<(typeof entries)[0]>["row"], Balance>>();
await view.list({ index: "owner", after: entries[1] });
// @ts-expect-error: no index has this name
view.list({ index: "name" });
// @ts-expect-error: not registered
store.view(activity);

const one = view.watch("1").current;
if (one.status === "ready") {
  proven<Equal<typeof one.value, Balance | undefined>>();
}
const many = view.watch({ index: "balance", reverse: true }).current;
// @ts-expect-error: only a ready result has a value for sure
many.value.length;
if (many.status === "failed") {
  proven<Equal<typeof many.value, undefined>>();
}

using then = await store.project(balances, { until: 0 });
proven<Equal<Awaited<ReturnType<typeof then.get>>, Balance | undefined>>();
// @ts-expect-error: what was is not live
then.watch("1");

// Any store ----------------------------------------------------------------------------------------

const any: AnyStore = store;
const empty: Store<[], [], []> = store as unknown as Store<[], [], []>;
for await (const event of empty.read()) {
  proven<Equal<typeof event.data, unknown>>();
}
// @ts-expect-error: nothing is registered
empty.view(balances);

// Errors -------------------------------------------------------------------------------------------

declare const error: unknown;
if (isEverfoldError(error, "conflict")) {
  proven<Equal<typeof error.details.actual, number>>();
}
if (isEverfoldError(error) && error.code === "storage-corrupt") {
  proven<Equal<typeof error.details.record, string>>();
  // @ts-expect-error: the details of another code
  error.details.streamId;
}
// @ts-expect-error: no such code
isEverfoldError(error, "conflicted");

export { any, end };

// Sync ---------------------------------------------------------------------------------------------

const synced = await openStore({
  name: "bank",
  aggregates: [account],
  sync: {
    url: new URL("https://sync.example.com"),
    space: "acme",
    subject: "ann",
    token: async ({ refresh }) => (refresh ? "new" : "old"),
    onRefused: async (refusal, other) => {
      proven<Equal<typeof refusal.kind, "refused" | "changed" | "orphaned">>();
      await other.append("apologies", [{ type: "said", data: refusal.reason?.message }]);
    },
  },
});
const { blockedBy, progress } = synced.sync.status();
proven<Equal<typeof progress, { readonly done: number; readonly total: number | null } | null>>();
if (blockedBy?.code === "sync-diverged") {
  proven<Equal<typeof blockedBy.details.reason, string | undefined>>();
}
for (const refusal of await synced.refusals.list()) {
  const again = await refusal.retry();
  proven<Equal<typeof again.commitId, string>>();
}
synced.subscribe({}, ({ kind }) => proven<Equal<typeof kind, "appended" | "confirmed" | "rebased" | "refused">>());
// @ts-expect-error: nobody could be asked for a token
await openStore({ name: "bank", sync: { url: "https://sync.example.com", space: "acme", subject: "ann" } });
// @ts-expect-error: no such adoption
await openStore({ name: "bank", sync: { url: "/", space: "acme", subject: "ann", token: () => "", adopt: "all" } });
