/**
 * Folding projections written in Rust: events are read, folded and written where they are, in wasm.
 *
 * Rows that stay in memory are a store of their own in memory, so that they are read as stored ones are.
 */
import type { Connection } from "./connection.js";
import type { CoreAdvanced, CoreDefinitions, CoreFolding } from "./core/definitions.js";
import type { CoreQuery } from "./core/reading.js";
import type { CoreProjection, CoreRowWrite } from "./core/rows.js";
import type { Core } from "./core.js";
import type { Engine } from "./engine.js";
import { EverfoldError } from "./errors.js";
import type { BuildSource, FoldedRow, Folds, MemoryFold } from "./folds.js";
import type { FoldedPage, LiveFold } from "./live-fold.js";
import type { KeyedFold } from "./log-fold.js";
import { notOurs } from "./ownership.js";
import type { AnyProjection } from "./projection.js";
import { checkAborted } from "./read.js";
import { type RowReader, storedRows } from "./row-table.js";

/** Events folded in one call, which is one task: as many as take about so long. */
const fewest = 512;
const most = 16_384;
const shortMs = 6;
const longMs = 16;
/** More changed rows than these are written before the end is reached. */
const rowsAtOnce = 20_000;

/** Where rows are: in the store itself, or in one beside it. */
interface Target {
  readonly core?: Core;
  readonly stored: Pick<CoreProjection, "generation" | "checkpoint" | "revision">;
}

const everything: CoreQuery = { clock: "occurred", direction: "forward" };

/** The folds of the projections of one engine. */
export function rustFolds(definitions: () => CoreDefinitions): Folds {
  return {
    live: (engine, projection) => liveFold(definitions, engine, projection),
    build: (engine, projection, source) => buildFold(definitions, engine, projection, source),
    inMemory: (engine, projection, query, signal) => memoryFold(definitions, engine, projection, query, signal),
  };
}

/** One way through the log. It lives as long as the instance and the connection that it began on. */
function folding(definitions: () => CoreDefinitions, engine: Engine, projection: AnyProjection, query: CoreQuery) {
  const { connection } = engine;
  let under: CoreFolding | undefined;
  let budget = fewest;

  async function begin({ stored, core: target }: Target): Promise<void> {
    const { generation, checkpoint, revision } = stored;
    under = await connection.call(async (core) =>
      definitions().fold(core, target ?? core, projection.name, generation, checkpoint, revision),
    );
  }

  return {
    begin,
    begun: () => under !== undefined,
    async advance(until: number): Promise<CoreAdvanced> {
      const began = performance.now();
      const text = JSON.stringify({ ...query, untilPosition: until });
      const advanced = await use((fold) => fold.advance(text, budget));
      const took = performance.now() - began;
      budget = took > longMs ? Math.max(fewest, budget >> 1) : took < shortMs ? Math.min(most, budget << 1) : budget;
      return JSON.parse(advanced) as CoreAdvanced;
    },
    write: (failedAt: number | null) => use((fold) => fold.write(failedAt ?? Number.NaN)),
    parts: () => (under === undefined ? "" : use((fold) => fold.parts())),
    changed: () => (under === undefined ? [] : (JSON.parse(under.changed()) as readonly string[])),
    forget: () => under?.forget(),
    end() {
      try {
        under?.end();
      } catch {
        // It went with an instance that trapped.
      }
      under = undefined;
    },
  };

  function use<T>(what: (fold: CoreFolding) => Promise<T>): Promise<T> {
    return connection.call(() => what(under as CoreFolding));
  }
}

function buildFold(
  definitions: () => CoreDefinitions,
  engine: Engine,
  projection: AnyProjection,
  { generation, query, signal }: BuildSource,
): KeyedFold {
  const fold = folding(definitions, engine, projection, query);
  let position = query.afterPosition ?? 0;
  let changed = 0;
  return {
    position: () => position,
    async advance(until) {
      checkAborted(signal);
      if (!fold.begun()) {
        await fold.begin({ stored: { generation, checkpoint: position, revision: 0 } });
      }
      const advanced = await fold.advance(until);
      checkAborted(signal);
      if (advanced.next === "gone") {
        throw notOurs(projection.name);
      }
      ({ position, changed } = advanced);
      return advanced.next === "done";
    },
    changed: () => changed,
    keys: fold.changed,
    parts: async () => fold.parts(),
    forget() {
      fold.forget();
      changed = 0;
    },
    end: fold.end,
  };
}

function liveFold(definitions: () => CoreDefinitions, engine: Engine, projection: AnyProjection): LiveFold {
  const fold = folding(definitions, engine, projection, everything);
  let inMemory = memoryFold(definitions, engine, projection, everything, undefined);
  let at = -1;

  function forget(): void {
    fold.end();
    at = -1;
  }

  return {
    async *pages(stored, after, until) {
      if (stored === null) {
        yield* pagesInMemory(after, until);
        return;
      }
      if (at !== after) {
        forget();
        await fold.begin({ stored });
      }
      for (let done = false; !done; ) {
        const { position, changed, next } = await fold.advance(until);
        if (next === "gone") {
          forget();
          yield null;
          return;
        }
        done = next === "done";
        at = position;
        yield page(
          position,
          changed,
          () => new Set(fold.changed()),
          ({ failedAt }) => fold.write(failedAt ?? null),
        );
      }
    },
    pending(stored, after) {
      const over = folding(definitions, engine, projection, everything);
      let ended = false;
      return {
        async advance(until) {
          if (!over.begun()) {
            const base = stored === null ? await inMemory.target() : { stored };
            if (base === undefined || ended) {
              return null;
            }
            await over.begin({ ...base, stored: { ...base.stored, checkpoint: after } });
          }
          const rows = new Map<string, unknown>();
          // It may be dropped whenever something is waited for.
          for (let done = false; !done; ) {
            const next = ended ? "gone" : (await over.advance(until)).next;
            const parts = ended || next === "gone" ? "" : await over.parts();
            if (ended || next === "gone") {
              over.end();
              return null;
            }
            for (const part of parts.split("\n").filter(Boolean)) {
              for (const [key, row] of JSON.parse(part) as CoreRowWrite["rows"]) {
                rows.set(key, row ?? undefined);
              }
            }
            over.forget();
            done = next === "done";
          }
          return [...rows].map(([key, row]) => ({ key, row }));
        },
        end() {
          ended = true;
          over.end();
        },
      };
    },
    forget,
    restart() {
      inMemory.end();
      inMemory = memoryFold(definitions, engine, projection, everything, undefined);
    },
    memory: {
      rows: (keys) => inMemory.rows.rows(keys),
      list: (range) => inMemory.rows.list(range),
      count: () => inMemory.rows.count(),
    },
    end() {
      forget();
      inMemory.end();
    },
  };

  /** Rows in memory go with the instance: then they are folded from the first event again. */
  async function* pagesInMemory(after: number, until: number): AsyncGenerator<FoldedPage> {
    for (let done = inMemory.position() >= until; !done; ) {
      done = await inMemory.advance(until);
      const position = inMemory.position();
      if (position > after) {
        yield page(
          position,
          1,
          () => "all",
          async () => true,
        );
      }
    }
  }
}

function page(position: number, changed: number, keys: FoldedPage["keys"], write: FoldedPage["write"]): FoldedPage {
  return { position, changed, keys, write, settle() {} };
}

function memoryFold(
  definitions: () => CoreDefinitions,
  engine: Engine,
  projection: AnyProjection,
  query: CoreQuery,
  signal: AbortSignal | undefined,
): MemoryFold & { target(): Promise<Target | undefined> } {
  const fold = folding(definitions, engine, projection, query);
  const keys = new Set<string>();
  let target: MemoryRows | undefined;
  let position = 0;
  let changed = 0;
  /** Up to where it was folded before an instance that trapped took the rows along. */
  let lost = 0;
  let stopWatching = () => {};

  function end(): void {
    stopWatching();
    fold.end();
    target?.close();
    target = undefined;
    keys.clear();
    position = 0;
    changed = 0;
  }

  async function advance(until: number): Promise<boolean> {
    checkAborted(signal);
    if (target === undefined) {
      stopWatching = engine.runtime.watchTraps(() => {
        lost = Math.max(lost, position);
        end();
      });
      target = await openMemoryRows(engine, projection);
      await fold.begin(target);
    }
    const advanced = await fold.advance(until);
    checkAborted(signal);
    ({ position, changed } = advanced);
    if (changed >= rowsAtOnce) {
      await write();
    }
    return advanced.next === "done";
  }

  async function write(): Promise<void> {
    if (changed > 0) {
      for (const key of fold.changed()) {
        keys.add(key);
      }
      await fold.write(null);
      changed = 0;
    }
  }

  /** Rows as far as they have been folded. */
  async function rows(): Promise<RowReader | undefined> {
    while (position < lost && !(await advance(lost))) {
      // One page after the other.
    }
    await write();
    return target?.rows;
  }

  return {
    position: () => position,
    advance,
    /** Where what has been folded is. */
    async target() {
      await rows();
      return target;
    },
    rows: {
      rows: async (wanted) => (await (await rows())?.rows(wanted)) ?? wanted.map(() => undefined),
      list: async (range) => (await (await rows())?.list(range)) ?? [],
      count: async () => (await (await rows())?.count()) ?? 0,
    },
    async all() {
      await rows();
      const found: FoldedRow[] = [];
      for (const key of keys) {
        const text = await target?.text(key);
        found.push(text === undefined ? { key, row: undefined } : { key, row: JSON.parse(text), text });
      }
      return found;
    },
    end,
  };
}

/** Rows in a store of their own in memory. */
interface MemoryRows extends Target {
  readonly rows: RowReader;
  /** A row as it is stored. */
  text(key: string): Promise<string | undefined>;
  close(): void;
}

async function openMemoryRows(engine: Engine, { name, version }: AnyProjection): Promise<MemoryRows> {
  const { connection, environment, runtime, wasm } = engine;
  const replicaId = environment.newId();
  const options = { name: `rows ${replicaId}`, storage: "memory", durability: "relaxed", replicaId, now: 0 } as const;
  const { Core: classOf } = await runtime.load(wasm);
  // Through the connection, which hears when the instance traps: else its promises would never settle.
  const core = await connection.call(() => classOf.open(options));
  const beside: Pick<Connection, "call" | "ask"> = {
    call: (use) => connection.call(() => use(core)),
    ask: (use) => connection.ask(() => use(core)),
  };
  const stored = await beside.ask<CoreProjection>((rows) => rows.projection(name, version, ""));
  const reader = storedRows(beside, stored.generation);
  const gone = () => new EverfoldError("store-closed", `the rows of ${name} in memory were let go`, { name });
  const there = async <T>(answer: Promise<T | null>): Promise<T> => {
    const found = await answer;
    if (found === null) {
      throw gone();
    }
    return found;
  };
  return {
    core,
    stored,
    rows: {
      rows: (keys) => there(reader.rows(keys)),
      list: (range) => there(reader.list(range)),
      count: () => there(reader.count()),
    },
    async text(key) {
      // A list of one.
      const list = await beside.call((rows) => rows.rows(stored.generation, JSON.stringify([key])));
      return list === "[null]" ? undefined : list.slice(1, -1);
    },
    close() {
      // It may have gone with its instance: then there is nothing to close.
      void connection.call(() => classOf.deleteStore(options.name, "memory")).catch(() => undefined);
    },
  };
}
