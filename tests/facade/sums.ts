/**
 * Projections for rebuilds in workers: the page and the workers import them.
 */
import { defineProjection } from "../../ts/projection.js";
import { account } from "../ts/ledger.js";

export { account };

type Sum = { readonly sum: number; readonly events: number };

const kinds = ["account.deposited", "account.withdrawn"] as const;

const added = (row: Sum | undefined, { data }: { readonly data: { readonly amount: number } }): Sum => ({
  sum: (row?.sum ?? 0) + data.amount,
  events: (row?.events ?? 0) + 1,
});

/** One row for each stream; its order matters, so that a fold in another order would show. */
export const sums = defineProjection({
  name: "sums",
  version: 1,
  partition: "stream",
  from: [account],
  events: kinds,
  key: (event) => event.streamId,
  evolve: (row: Sum | undefined, event): Sum => ({
    sum: ((row?.sum ?? 0) * 3 + event.data.amount) % 1_000_003,
    events: (row?.events ?? 0) + 1,
  }),
  indexes: { events: (row) => row.events },
});

/** What an event counts, for a test that rebuilds with another one. */
export const weight = { now: 1 };

/** Of every stream. */
export const counts = defineProjection({
  name: "counts",
  version: 1,
  partition: "stream",
  key: (event) => event.streamId,
  evolve: (row: number = 0) => row + weight.now,
});

/** Declared as partitioned by stream, which it is not. */
export const everything = defineProjection({
  name: "everything",
  version: 1,
  partition: "stream",
  from: [account],
  events: kinds,
  key: () => "all",
  evolve: added,
});

/** Has other indexes in workers than in the page, as from a module of another build. */
export const shifting = defineProjection({
  name: "shifting",
  version: 1,
  partition: "stream",
  from: [account],
  events: kinds,
  key: (event) => event.streamId,
  evolve: added,
  indexes: { ["WorkerGlobalScope" in globalThis ? "others" : "events"]: (row: Sum) => row.events },
});

/** Stops at a deposit of 13, when told to. */
export const superstitious = defineProjection({
  name: "superstitious",
  version: 1,
  partition: "stream",
  from: [account],
  events: kinds,
  key: (event) => event.streamId,
  evolve: (row: Sum | undefined, event): Sum => {
    if (event.data.amount === 13 && "WorkerGlobalScope" in globalThis) {
      throw new Error("thirteen");
    }
    return { sum: (row?.sum ?? 0) + event.data.amount, events: (row?.events ?? 0) + 1 };
  },
});
