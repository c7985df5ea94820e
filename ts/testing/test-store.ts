/**
 * A store for tests: in memory, with a clock that stands still, ids that repeat, and storage that
 * fails when it is told.
 */
import type { AnyAggregate } from "../aggregate.js";
import type { Core } from "../core.js";
import type { AnyDecision } from "../decision.js";
import { realEnvironment } from "../environment.js";
import { openStoreIn } from "../open.js";
import type { AnyProjection } from "../projection.js";
import type { Store, StoreOptions } from "../types.js";
import { type FakeClock, fakeClock, seededIds } from "./clock.js";

/** How a storage call fails: the disk is full, an unknown error, a closed or blocked database, an aborted transaction. */
export type StorageFault = "quota" | "unknown" | "closed" | "aborted" | "blocked";

/** The storage under a test's control. */
export interface TestStorage {
  /** Storage calls made so far: run an operation once, count its calls, then fail each in turn. */
  calls(): number;
  /** Fails one call: 1 is the next one. */
  failCall(call: number, fault?: StorageFault): void;
}

/** Options of `openTestStore`; whatever `openStore` takes, but always in memory. */
export interface TestStoreOptions<
  As extends readonly AnyAggregate[] = readonly AnyAggregate[],
  Ds extends readonly AnyDecision[] = readonly AnyDecision[],
  Ps extends readonly AnyProjection[] = readonly AnyProjection[],
> extends Omit<StoreOptions<As, Ds, Ps>, "name" | "storage" | "durability"> {
  /** One of its own if left out. */
  readonly name?: string | undefined;
  readonly clock?: FakeClock | undefined;
  /** Of the ids that the store makes. */
  readonly seed?: number | undefined;
}

/** An open store with what a test turns. */
export interface TestStore<
  As extends readonly AnyAggregate[] = readonly AnyAggregate[],
  Ds extends readonly AnyDecision[] = readonly AnyDecision[],
  Ps extends readonly AnyProjection[] = readonly AnyProjection[],
> {
  readonly store: Store<As, Ds, Ps>;
  readonly clock: FakeClock;
  readonly storage: TestStorage;
}

let opened = 0;

/**
 * Opens a store that nobody else has. Problems without a caller are thrown away unless `onProblem`
 * takes them.
 *
 * ```ts
 * const { store, clock, storage } = await openTestStore({ aggregates: [account] });
 * storage.failCall(1, "quota");
 * await expect(store.execute(account, "1", deposit(5))).rejects.toMatchObject({ code: "quota-exceeded" });
 * ```
 */
export async function openTestStore<
  const As extends readonly AnyAggregate[] = readonly [],
  const Ds extends readonly AnyDecision[] = readonly [],
  const Ps extends readonly AnyProjection[] = readonly [],
>(options: TestStoreOptions<As, Ds, Ps> = {}): Promise<TestStore<As, Ds, Ps>> {
  const { name = `test-${++opened}`, clock = fakeClock(), seed = 1, ...rest } = options;
  let core: Core | undefined;
  const coreOpened = (next: Core) => {
    core = next;
  };
  const environment = { ...realEnvironment, now: () => clock.now(), newId: seededIds(seed), coreOpened };
  const store = await openStoreIn<As, Ds, Ps>(environment, {
    onProblem: () => {},
    ...rest,
    name,
    storage: "memory",
  } as StoreOptions<As, Ds, Ps>);
  return {
    store,
    clock,
    storage: {
      calls: () => core?.storageCalls() ?? 0,
      failCall: (call, fault = "unknown") => core?.failStorage(call, fault),
    },
  };
}
