/**
 * A handle on a store: the public functions over one engine.
 *
 * Each call first asks whether the handle is still open; whatever is registered is looked up by the
 * definition itself, not by its name.
 */
import type { AnyAggregate } from "./aggregate.js";
import { storeClosed } from "./connection.js";
import type { AnyDecision } from "./decision.js";
import { type Engine, knowing, type Registered } from "./engine.js";
import { checkOptions, invalidArgument } from "./errors.js";
import type { AnyEvent } from "./event.js";
import { executeDecision, executeOn } from "./execute.js";
import { appendFacts, commitFacts } from "./facts.js";
import { liveResult } from "./live.js";
import { type Tools, tools } from "./parts.js";
import { pausable } from "./pausable.js";
import type { AnyProjection } from "./projection.js";
import type { Projector } from "./projector.js";
import { persistOrigin } from "./quota.js";
import { checkAborted, checkClock, readEvents } from "./read.js";
import type { States } from "./states.js";
import { checkId, checkOrdinal, checkTime, streamIdOf } from "./stream-id.js";
import { subscribeTo } from "./subscription.js";
import { syncControl } from "./sync/control.js";
import { refusalsOf } from "./sync/refusals.js";
import type {
  Abortable,
  AnyStore,
  AppendOptions,
  CommitOptions,
  CommitOutcome,
  ExecuteOptions,
  IngestOptions,
  Loaded,
  LoadOptions,
  ProjectOptions,
  ReadQuery,
  RebuildOptions,
  ReplayOptions,
  StreamAppend,
  StreamsOptions,
  SubscribeQuery,
} from "./types.js";
import { viewOf } from "./view.js";

/** What a handle registers. */
export type Definitions = Registered;

const streamsAtOnce = 1_000;

/** Makes a handle. `release` is called once, by the first `close`. */
export function storeHandle(shared: Engine, definitions: Definitions, release: () => Promise<void>): AnyStore {
  const { name, log, connection } = shared;
  const unregister = shared.register(definitions);
  const subscriptions = new Set<() => void>();
  let closing: Promise<void> | undefined;

  const engine: Engine = {
    ...knowing(shared, definitions.aggregates),
    check() {
      if (closing !== undefined) {
        throw storeClosed(name);
      }
      shared.check();
    },
  };

  function statesBy(aggregate: AnyAggregate): States {
    const states = definitions.aggregates.includes(aggregate) ? engine.statesBy(aggregate) : undefined;
    if (states === undefined) {
      throw notRegistered("aggregate", aggregate);
    }
    return states;
  }

  function projectorBy(projection: AnyProjection): Projector {
    const projector = definitions.projections.includes(projection) ? engine.projectorBy(projection) : undefined;
    if (projector === undefined) {
      throw notRegistered("projection", projection);
    }
    return projector;
  }

  /** A query's aggregate, which may be named, as one that is registered. */
  function known<Q extends ReadQuery | SubscribeQuery>(query: Q): Q {
    const { aggregate } = checkOptions(query, "query");
    if (aggregate === undefined) {
      return query;
    }
    const found = definitions.aggregates.find((other) => other === aggregate || other.name === aggregate);
    if (found === undefined) {
      throw notRegistered("aggregate", aggregate);
    }
    return { ...query, aggregate: found };
  }

  async function execute(...call: readonly unknown[]): Promise<unknown> {
    engine.check();
    const [definition] = call as readonly [AnyAggregate | AnyDecision];
    if (definition?.kind === "aggregate") {
      const [, id, command, options = {}] = call as readonly [unknown, string, unknown, ExecuteOptions?];
      return executeOn(engine, statesBy(definition), id, command, checkOptions(options));
    }
    if (!definitions.decisions.includes(definition as AnyDecision)) {
      throw notRegistered("decision", definition);
    }
    const [, command, options = {}] = call as readonly [unknown, unknown, ExecuteOptions?];
    return executeDecision(engine, definition as AnyDecision, statesBy, command, checkOptions(options));
  }

  async function load(aggregate: AnyAggregate, id: string, options: LoadOptions = {}): Promise<Loaded<unknown>> {
    engine.check();
    const states = statesBy(aggregate);
    const streamId = streamIdOf(aggregate.name, id);
    const { atVersion, at, fresh, signal } = checkOptions(options);
    const clock = checkClock(options.clock);
    checkAborted(signal);
    if (fresh) {
      await log.catchUp();
      checkAborted(signal);
    }
    if (atVersion !== undefined || at !== undefined) {
      const past = {
        atVersion: atVersion === undefined ? undefined : checkOrdinal(atVersion, "atVersion"),
        at: at === undefined ? undefined : checkTime(at, "at"),
        clock,
      };
      return states.loadPast(streamId, past);
    }
    const { state, version } = await states.load(streamId);
    return { state, version };
  }

  async function* streams(aggregate: AnyAggregate, options: StreamsOptions = {}) {
    engine.check();
    const { after, limit, signal } = checkOptions(options);
    const prefix = `${statesBy(aggregate).aggregate.name}-`;
    let last = after === undefined ? "" : prefix + checkId(after, "after");
    let left = limit === undefined ? Number.POSITIVE_INFINITY : checkOrdinal(limit, "limit");
    while (left > 0) {
      checkAborted(signal);
      engine.check();
      const [from, count] = [last, Math.min(left, streamsAtOnce)];
      const ids = await connection.ask<readonly string[]>((core) => core.tool("streams", [prefix, from, count]));
      for (const id of ids) {
        yield id.slice(prefix.length);
      }
      left -= ids.length;
      if (ids.length < count) {
        return;
      }
      last = ids.at(-1) as string;
    }
  }

  async function outcome(commitId: string): Promise<CommitOutcome> {
    engine.check();
    checkId(commitId, "commitId");
    // Another tab may have written it, or heard of it, just now.
    await log.catchUp();
    const found = await log.outcome(commitId);
    if (found?.status === "pending" || found?.status === "refused") {
      return found.status;
    }
    return found === null || !("streams" in found) ? "unknown" : found.attempt > 1 ? "changed" : "confirmed";
  }

  function watch(aggregate: AnyAggregate, id: string) {
    engine.check();
    statesBy(aggregate);
    const streamId = streamIdOf(aggregate.name, id);
    return liveResult({
      load: () => load(aggregate, id),
      follow: (changed) =>
        log.onChange(({ touched }) => {
          if (touched === "all" || touched.has(streamId)) {
            changed();
          }
        }),
    });
  }

  async function* replay(aggregate: AnyAggregate, id: string, options: ReplayOptions = {}) {
    engine.check();
    const [states, streamId] = [statesBy(aggregate), streamIdOf(aggregate.name, id)];
    const { replayStream } = await toolsWhileOpen();
    yield* replayStream(engine, states, streamId, checkOptions(options));
  }

  async function findFirst(
    aggregate: AnyAggregate,
    id: string,
    predicate: Parameters<Tools["findFirstStep"]>[3],
    options: ReplayOptions = {},
  ) {
    engine.check();
    const states = statesBy(aggregate);
    if (typeof predicate !== "function") {
      throw invalidArgument("predicate", "predicate must be a function");
    }
    const streamId = streamIdOf(aggregate.name, id);
    return (await toolsWhileOpen()).findFirstStep(engine, states, streamId, predicate, checkOptions(options));
  }

  function subscribe(query: SubscribeQuery, listener: Parameters<typeof subscribeTo>[2]): () => void {
    engine.check();
    if (typeof listener !== "function") {
      throw invalidArgument("listener", "listener must be a function");
    }
    const end = subscribeTo(engine, known(query), listener);
    subscriptions.add(end);
    return () => {
      subscriptions.delete(end);
      end();
    };
  }

  function close(): Promise<void> {
    closing ??= (async () => {
      await shared.commits.settled();
      for (const end of subscriptions) {
        end();
      }
      unregister();
      shared.handles.delete(handle);
      await release();
    })();
    return closing;
  }

  /** Makes a function that answers a promise reject, instead of throwing, when the store is closed. */
  function whileOpen<A extends unknown[], R>(run: (...args: A) => Promise<R>): (...args: A) => Promise<R> {
    return async (...args) => {
      engine.check();
      return run(...args);
    };
  }

  async function toolsWhileOpen(): Promise<Tools> {
    const loaded = await tools();
    engine.check();
    return loaded;
  }

  /** The same for a function that is one of the tools. */
  function byTools<A extends unknown[], R>(run: (tools: Tools, ...args: A) => Promise<R>): (...args: A) => Promise<R> {
    return whileOpen(async (...args: A) => run(await toolsWhileOpen(), ...args));
  }

  const own = {
    name,
    execute,
    append: whileOpen((streamId: string, events: readonly AnyEvent[], options: AppendOptions = {}) =>
      appendFacts(engine, streamId, events, checkOptions(options)),
    ),
    commit: whileOpen((appends: readonly StreamAppend[], options: CommitOptions = {}) =>
      commitFacts(engine, appends, checkOptions(options)),
    ),
    ingest: byTools((tools, batches: Parameters<Tools["ingestFacts"]>[1], options: IngestOptions = {}) =>
      tools.ingestFacts(engine, batches, checkOptions(options)),
    ),
    outcome,
    load,
    read: (query: ReadQuery = {}) => readEvents(engine, known(query)),
    subscribe,
    streams,
    watch,
    replay,
    findFirst,
    view(projection: AnyProjection) {
      engine.check();
      return viewOf(engine, projectorBy(projection));
    },
    rebuild: (projection: AnyProjection, options: RebuildOptions = {}) =>
      pausable(async (paused) => {
        engine.check();
        const projector = projectorBy(projection);
        await (await toolsWhileOpen()).rebuildRows(engine, projector, checkOptions(options), paused);
      }),
    project: byTools(async (tools, projection: AnyProjection, options: ProjectOptions = {}) =>
      tools.projectRows(engine, projectorBy(projection).projection, checkOptions(options)),
    ),
    sync: syncControl(engine),
    refusals: refusalsOf(engine, (): AnyStore => handle),
    stats: byTools((tools) => tools.statsOf(engine, definitions.projections)),
    persist: whileOpen(() => persistOrigin(engine)),
    compact: byTools((tools, options: Abortable = {}) => tools.compactStore(engine, checkOptions(options))),
    verify: byTools((tools, options: Abortable = {}) => tools.verifyStore(engine, checkOptions(options))),
    export: byTools((tools, options: Abortable = {}) => tools.exportStore(engine, checkOptions(options))),
    import: byTools((tools, file: Blob | BufferSource, options: Parameters<Tools["importStore"]>[2] = {}) =>
      tools.importStore(engine, file, checkOptions(options)),
    ),
    close,
  };
  const asyncDispose: typeof Symbol.asyncDispose | undefined = Symbol.asyncDispose;
  if (asyncDispose !== undefined) {
    Object.defineProperty(own, asyncDispose, { value: close });
  }
  const handle = own as unknown as AnyStore;
  shared.handles.add(handle);
  return handle;
}

function notRegistered(kind: string, definition: unknown) {
  const name =
    typeof definition === "string" ? definition : (definition as { readonly name?: unknown } | undefined)?.name;
  return invalidArgument(kind, `${kind} ${JSON.stringify(name) ?? "(none)"} is not registered: give it to openStore`);
}
