/**
 * A view: reading the rows of one projection.
 */
import type { Engine } from "./engine.js";
import { checkOptions, invalidArgument } from "./errors.js";
import { liveResult, withDispose } from "./live.js";
import type { AnyProjection } from "./projection.js";
import type { ChangedKeys, Projector } from "./projector.js";
import { indexValues } from "./row-fold.js";
import type { RowRange, RowReader } from "./row-table.js";
import type { Entry, IndexValue, ListQuery, ProjectedView, View } from "./types.js";

/** The live view: each read sees what this tab has written. */
export function viewOf(engine: Engine, projector: Projector): View {
  const { projection } = projector;
  const reads = readsOf(projection, projector, async () => {
    engine.check();
    await projector.reached(engine.log.ownPosition());
  });

  function watch(what: string | ListQuery) {
    engine.check();
    const key = typeof what === "string" ? what : undefined;
    if (typeof what !== "string") {
      rangeOf(projection, what);
    }
    return liveResult<unknown>({
      load: () => (typeof what === "string" ? reads.get(what) : reads.list(what)),
      follow: (changed) =>
        projector.onRows((keys: ChangedKeys) => {
          if (key === undefined || keys === "all" || keys.has(key)) {
            changed();
          }
        }),
    });
  }

  return { ...reads, checkpoint: () => projector.checkpoint(), watch } as View;
}

/** A view that stays as it is. */
export function projectedView(
  projection: AnyProjection,
  rows: RowReader,
  checkpoint: number,
  dispose: () => void,
): ProjectedView {
  const reads = readsOf(projection, rows, async () => undefined);
  return withDispose({ ...reads, checkpoint: () => checkpoint, dispose }, dispose);
}

function readsOf(projection: AnyProjection, rows: RowReader, ready: () => Promise<void>) {
  async function getMany(keys: readonly string[]): Promise<readonly unknown[]> {
    if (!Array.isArray(keys) || !keys.every((key) => typeof key === "string")) {
      throw invalidArgument("keys", "keys must be a list of texts");
    }
    await ready();
    return (await rows.rows(keys)).map((row) => row ?? undefined);
  }
  return {
    async get(key: string): Promise<unknown> {
      if (typeof key !== "string") {
        throw invalidArgument("key", `key is ${typeof key}, must be a text`);
      }
      return (await getMany([key]))[0];
    },
    getMany,
    async count(): Promise<number> {
      await ready();
      return rows.count();
    },
    async list(query: ListQuery = {}): Promise<readonly Entry<unknown>[]> {
      const range = rangeOf(projection, query);
      await ready();
      return (await rows.list(range)).map(([key, row]) => ({ key, row }));
    },
  };
}

/** Checks a query and says it as the core takes it. */
function rangeOf(projection: AnyProjection, query: ListQuery): RowRange {
  const { index, gte, gt, lte, lt, prefix, reverse, limit, after } = checkOptions(query, "query");
  const number = index === undefined ? undefined : Object.keys(projection.indexes).indexOf(index);
  if (number === -1) {
    throw invalidArgument("index", `projection ${projection.name} has no index ${JSON.stringify(index)}`);
  }
  for (const [name, bound] of Object.entries({ gte, gt, lte, lt })) {
    checkBound(name, bound, number === undefined);
  }
  if (prefix !== undefined && typeof prefix !== "string") {
    throw invalidArgument("prefix", "prefix must be a text");
  }
  if (reverse !== undefined && typeof reverse !== "boolean") {
    throw invalidArgument("reverse", `reverse is ${String(reverse)}, must be true or false`);
  }
  if (limit !== undefined && (!Number.isSafeInteger(limit) || limit < 0)) {
    throw invalidArgument("limit", `limit is ${String(limit)}, must be a whole number from 0`);
  }
  return {
    ...(number === undefined ? undefined : { index: number }),
    ...(gte === undefined ? undefined : { gte }),
    ...(gt === undefined ? undefined : { gt }),
    ...(lte === undefined ? undefined : { lte }),
    ...(lt === undefined ? undefined : { lt }),
    ...(prefix === undefined ? undefined : { prefix }),
    ...(reverse === undefined ? undefined : { reverse }),
    ...(limit === undefined ? undefined : { limit }),
    ...(after === undefined ? undefined : { after: afterOf(projection, number, after) }),
  };
}

function checkBound(name: string, bound: IndexValue | undefined, isKey: boolean): void {
  const fits =
    bound === undefined || typeof bound === "string" || (typeof bound === "number" && !isKey && Number.isFinite(bound));
  if (!fits) {
    throw invalidArgument(name, `${name} must be ${isKey ? "a text" : "a text or a finite number"}`);
  }
}

/** Where the page before ended: the index value follows from the row. */
function afterOf(projection: AnyProjection, index: number | undefined, after: Entry<unknown>) {
  const { key, row } = checkOptions(after, "after");
  if (typeof key !== "string") {
    throw invalidArgument("after", "after must be the last { key, row } of the page before");
  }
  const value = index === undefined ? undefined : indexValues(projection, row)[index];
  if (value === null) {
    throw invalidArgument("after", `the row of ${JSON.stringify(key)} is not in the index`);
  }
  return value === undefined ? { key } : { value, key };
}
