/**
 * What the handles on one store in a page share: the connection, the log, what is kept of streams,
 * and the queue of commits.
 *
 * Definitions belong to handles, so that a page reloaded by its development server may open the store
 * again with new ones; what is kept for a definition goes with the last handle that registered it.
 */
import type { AnyAggregate } from "./aggregate.js";
import { compactWhenIdle } from "./compaction.js";
import { type Connection, connect } from "./connection.js";
import type { CoreBindOptions } from "./core/syncing.js";
import type { CoreState } from "./core.js";
import type { AnyDecision } from "./decision.js";
import { bound } from "./definition.js";
import type { Environment } from "./environment.js";
import { EverfoldError } from "./errors.js";
import { type GroupCommit, groupCommits } from "./group-commit.js";
import { type IdleWork, idleWork } from "./idle.js";
import { type ListenerSet, listenerSet } from "./listeners.js";
import { type Log, openLog } from "./log.js";
import { problemOf, type Report, warnOnceACode } from "./problems.js";
import type { AnyProjection } from "./projection.js";
import { type Projector, startProjector } from "./projector.js";
import { watchQuota } from "./quota.js";
import { keepSnapshots, type SnapshotKeeper } from "./snapshots.js";
import { keepStates, type States } from "./states.js";
import { aggregateNameOf } from "./stream-id.js";
import type { SyncDriver } from "./sync/driver.js";
import type { CheckedSync } from "./sync/options.js";
import { newSalt } from "./sync/salt.js";
import { followTabs } from "./tabs.js";
import type { AnyStore, RebuildStart, StorageOptions } from "./types.js";
import { notLoaded, type WasmRuntime, type WasmSource } from "./wasm.js";

export interface Engine {
  readonly name: string;
  readonly storage: "indexeddb" | "memory";
  readonly durability: "strict" | "relaxed";
  readonly environment: Environment;
  readonly runtime: WasmRuntime;
  /** Where its wasm came from, for an engine in a worker. */
  readonly wasm: () => WasmSource;
  readonly replicaId: string;
  /** With what the names of its Web Locks begin. */
  readonly lockPrefix: string;
  readonly connection: Connection;
  readonly log: Log;
  readonly commits: GroupCommit;
  readonly snapshots: SnapshotKeeper;
  readonly idle: IdleWork;
  readonly report: Report;
  /** Calls every handle's `onRebuildStart`. Rejects with `rebuild-failed`. */
  rebuildStarts(start: RebuildStart): Promise<void>;
  /** Sync, if the store was opened with it. */
  readonly sync: SyncDriver | undefined;
  /** Makes a salt for each new event, with sync. */
  readonly salt: (() => string) | undefined;
  /** What is said of who commits, with sync. */
  readonly author: { readonly subject?: string };
  /** The handles on it. */
  readonly handles: Set<AnyStore>;
  /** Somebody has seen a refusal. */
  readonly dismissed: ListenerSet<void>;
  /** Rows of a projection were rebuilt. */
  readonly rebuilt: ListenerSet<Rebuilt>;
  /** Throws `store-closed`, or why else no call can succeed. */
  check(): void;
  /** Calls `listener` when the store is closed. Returns what calls it off. */
  onClose(listener: () => void): () => void;
  /** The aggregate that owns a stream, if one is registered. */
  aggregateOf(streamId: string): AnyAggregate | undefined;
  /** What is kept of a stream, by every definition registered for it. */
  statesOf(streamId: string): readonly States[];
  /** Decisions of this name, by every handle. */
  decisionsNamed(name: string): readonly AnyDecision[];
  /** Registers definitions and a hearer of problems. Returns what takes them back. */
  register(definitions: Registered): () => void;
  statesBy(aggregate: AnyAggregate): States | undefined;
  projectorBy(projection: AnyProjection): Projector | undefined;
  /** Waits for what was begun, then lets go of the database. */
  close(): Promise<void>;
}

/** Rows of a projection were rebuilt, by this tab or by another one. */
export interface Rebuilt {
  readonly projection: string;
  readonly own: boolean;
}

/** What a handle brings. */
export interface Registered {
  readonly aggregates: readonly AnyAggregate[];
  readonly decisions: readonly AnyDecision[];
  readonly projections: readonly AnyProjection[];
  readonly onProblem: Report | undefined;
  readonly onRebuildStart?: StorageOptions["onRebuildStart"];
}

/** How an engine is started; what `openStore` has checked. */
export interface EngineOptions {
  readonly name: string;
  readonly storage: "indexeddb" | "memory";
  readonly durability: "strict" | "relaxed";
  readonly runtime: WasmRuntime;
  readonly wasm: () => WasmSource;
  readonly environment: Environment;
  readonly sync?: CheckedSync | undefined;
}

/** Opens the store and starts what works in the background. */
export async function startEngine(options: EngineOptions): Promise<Engine> {
  const { name, storage, durability, environment, runtime, wasm } = options;
  const decisions = new Set<readonly AnyDecision[]>();
  const closing = listenerSet<void>();
  const hearers = new Set<{ readonly report: Report; readonly onRebuildStart?: StorageOptions["onRebuildStart"] }>();
  const warn: Report = warnOnceACode(name);
  const statesByAggregate = new Map<AnyAggregate, Shared<States>>();
  const statesByName = new Map<string, readonly States[]>();
  const projectors = new Map<AnyProjection, Shared<Projector>>();
  const none: readonly States[] = [];

  const report: Report = (problem) => {
    for (const hearer of hearers) {
      try {
        hearer.report(problem);
      } catch {
        // Whoever hears of problems must not make more of them.
      }
    }
  };
  const reportError = (error: unknown) => {
    const problem = problemOf(error);
    if (problem !== undefined) {
      report(problem);
    }
  };

  // Until there is a log, nothing is kept that may be out of date.
  let onReopened: (state: CoreState) => void = () => {};
  // A store that keeps to itself never loads it.
  const driver = options.sync && (await loadDriver());
  const connection = await connect({
    core: { name, storage, durability },
    environment,
    runtime,
    wasm,
    onReopened: (state) => onReopened(state),
    onBroken: reportError,
  });
  const { replicaId } = connection.state;
  const state = options.sync && (await bindTo(connection, options.sync));
  const log = openLog(connection, state ?? connection.state);
  const idle = idleWork();
  const statesOf = (streamId: string) => statesByName.get(aggregateNameOf(streamId)) ?? none;
  const forget = (streamId: string) => {
    for (const states of statesOf(streamId)) {
      states.forget(new Set([streamId]));
    }
  };
  const snapshots = keepSnapshots(connection, idle, report, forget);
  log.onStale((touched) => {
    for (const { shared } of statesByAggregate.values()) {
      shared.forget(touched);
    }
  });

  function indexStates(): void {
    statesByName.clear();
    for (const { shared } of statesByAggregate.values()) {
      const { name: aggregate } = shared.aggregate;
      statesByName.set(aggregate, [...(statesByName.get(aggregate) ?? none), shared]);
    }
  }

  const engine: Engine = {
    ...options,
    sync: undefined,
    salt: options.sync && newSalt,
    author: options.sync ? { subject: options.sync.subject } : {},
    handles: new Set(),
    dismissed: listenerSet(),
    rebuilt: listenerSet(),
    onClose: closing.add,
    decisionsNamed: (wanted) => [...decisions].flatMap((list) => list.filter((decision) => decision.name === wanted)),
    replicaId,
    lockPrefix: `everfold/${storage === "memory" ? replicaId : name}`,
    connection,
    log,
    commits: groupCommits(log, statesOf),
    snapshots,
    idle,
    report,
    async rebuildStarts(start) {
      for (const { onRebuildStart } of hearers) {
        try {
          await onRebuildStart?.(start);
        } catch (cause) {
          const { projection } = start;
          const reason = cause instanceof Error ? cause.message : String(cause);
          throw new EverfoldError(
            "rebuild-failed",
            `${projection}: onRebuildStart threw: ${reason}`,
            { projection },
            { cause },
          );
        }
      }
    },
    check: connection.check,
    aggregateOf: (streamId) => statesOf(streamId)[0]?.aggregate,
    statesOf,
    register({ aggregates, decisions: registered, projections, onProblem, onRebuildStart }) {
      const hearer = { report: onProblem ?? warn, onRebuildStart };
      hearers.add(hearer);
      // A list of its own: two handles may register the same one.
      const own = [...registered];
      decisions.add(own);
      const release = [
        ...aggregates.map((aggregate) =>
          share(statesByAggregate, aggregate, () =>
            keepStates(bound(aggregate, runtime), connection, snapshots, log.merges),
          ),
        ),
        ...projections.map((projection) =>
          share(
            projectors,
            projection,
            () => startProjector(knowing(engine, aggregates), bound(projection, runtime)),
            (projector) => projector.stop(),
          ),
        ),
      ];
      indexStates();
      return () => {
        for (const end of release) {
          end();
        }
        indexStates();
        decisions.delete(own);
        hearers.delete(hearer);
      };
    },
    statesBy: (aggregate) => statesByAggregate.get(aggregate)?.shared,
    projectorBy: (projection) => projectors.get(projection)?.shared,
    async close() {
      await engine.commits.settled();
      closing.tell();
      await sync?.stop();
      stopFollowing();
      stopWatchingQuota();
      stopCompacting();
      idle.stop();
      await connection.close();
    },
  };
  const stopFollowing = followTabs(engine);
  const stopWatchingQuota = watchQuota(engine);
  const stopCompacting = compactWhenIdle(engine);
  const sync = options.sync && driver?.driveSync(engine, options.sync);
  onReopened = (state) => {
    log.restart(state);
    sync?.reopened();
  };
  return Object.assign(engine, { sync });
}

async function loadDriver() {
  try {
    return await import("./sync/driver.js");
  } catch (cause) {
    throw notLoaded(cause);
  }
}

/** From here on what is committed waits for the server: also before anybody has reached it. */
async function bindTo(connection: Connection, { space, subject, adopt }: CheckedSync): Promise<CoreState> {
  const binding: CoreBindOptions = { space, subject, adopt };
  try {
    await connection.call((core) => core.sync("bindSync", [JSON.stringify(binding)]));
    return await connection.ask<CoreState>(async (core) => core.state());
  } catch (error) {
    await connection.close().catch(() => undefined);
    throw error;
  }
}

/** The engine as one handle has it: another handle may have another definition of the same aggregate. */
export function knowing(engine: Engine, aggregates: readonly AnyAggregate[]): Engine {
  const aggregatesByName = new Map(aggregates.map((aggregate) => [aggregate.name, aggregate]));
  return {
    ...engine,
    aggregateOf: (streamId) => aggregatesByName.get(aggregateNameOf(streamId)) ?? engine.aggregateOf(streamId),
  };
}

/** What several handles use, and how many they are. */
interface Shared<T> {
  readonly shared: T;
  users: number;
}

function share<K, T>(
  all: Map<K, Shared<T>>,
  key: K,
  make: () => T,
  end: (shared: T) => void = () => undefined,
): () => void {
  let entry = all.get(key);
  if (entry === undefined) {
    entry = { shared: make(), users: 0 };
    all.set(key, entry);
  }
  entry.users += 1;
  const held = entry;
  return () => {
    held.users -= 1;
    if (held.users === 0) {
      all.delete(key);
      end(held.shared);
    }
  };
}
