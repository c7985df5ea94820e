/**
 * Where the rows of one projection are: in storage, or in memory for a view as of then and for a tab
 * that is older than the rows.
 */

import type { Connection } from "./connection.js";
import type { CoreProjection, CoreRowQuery, CoreRowWrite, IndexValue } from "./core/rows.js";
import type { AnyProjection } from "./projection.js";
import { coreLimit } from "./read.js";
import type { KnownRow, KnownRows } from "./row-fold.js";
import { indexValues } from "./row-fold.js";

/** A range of rows in the order of an index (by its number), or of keys. */
export type RowRange = Omit<CoreRowQuery, "generation">;

/** Reading rows. What is returned belongs to the caller. */
export interface RowReader {
  rows(keys: readonly string[]): Promise<readonly unknown[]>;
  list(range: RowRange): Promise<readonly (readonly [string, unknown])[]>;
  count(): Promise<number>;
}

/** Rows of one generation in storage; the answers are null when it is gone. */
export function storedRows(connection: Pick<Connection, "call" | "ask">, generation: number) {
  return {
    rows: (keys: readonly string[]) =>
      connection.ask<readonly unknown[] | null>((core) => core.rows(generation, JSON.stringify(keys))),
    list({ limit, ...range }: RowRange) {
      const query: CoreRowQuery = { generation, ...range, ...(limit !== undefined && { limit: coreLimit(limit) }) };
      return connection.ask<readonly (readonly [string, unknown])[] | null>((core) =>
        core.listRows(JSON.stringify(query)),
      );
    },
    count: async () => {
      const count = await connection.call((core) => core.tool("countRows", [generation]));
      return count < 0 ? null : count;
    },
  };
}

/** What a write of rows says beside the rows. */
export type RowWriteHead = Omit<CoreRowWrite, "rows">;

/** Rows that changed, as they are written: key, row, index values before and after. */
export function rowChanges(projection: AnyProjection, changed: readonly KnownRow[]): CoreRowWrite["rows"] {
  return changed.map(({ key, row, stored }) => [key, row ?? null, stored ?? [], indexValues(projection, row)]);
}

/** They are stored now. */
export function settle(changed: readonly KnownRow[]): void {
  for (const known of changed) {
    known.stored = undefined;
  }
}

/** Where a projection's rows stand in storage. */
export function projectionState(connection: Connection, projection: AnyProjection): Promise<CoreProjection> {
  const { name, version } = projection;
  return connection.ask<CoreProjection>((core) => core.projection(name, version, indexNames(projection)));
}

/** The names of its indexes, as they are stored with its rows: an index's number is its place among them. */
export function indexNames({ indexes }: AnyProjection): string {
  return JSON.stringify(Object.keys(indexes));
}

/** Rows in memory. */
interface MemoryRows extends RowReader {
  /** May be folded into directly: readers get copies. */
  readonly known: KnownRows;
  /** Rows have changed: those of these keys, or any. */
  changed(keys?: readonly string[]): void;
}

/** Rows kept in memory. */
export function memoryRows(projection: AnyProjection): MemoryRows {
  const known: KnownRows = new Map();
  const orders = new Map<number, readonly Ordered[]>();

  /** Every row in the order of an index, or of keys (-1). */
  function ordered(index: number): readonly Ordered[] {
    let order = orders.get(index);
    if (order === undefined) {
      order = entries(index, known.keys()).sort(compareOrdered);
      orders.set(index, order);
    }
    return order;
  }

  function entries(index: number, keys: Iterable<string>): Ordered[] {
    const found: Ordered[] = [];
    for (const key of keys) {
      const row = known.get(key)?.row;
      const value = row === undefined ? null : index < 0 ? key : (indexValues(projection, row)[index] ?? null);
      if (value !== null) {
        found.push({ value, key });
      }
    }
    return found;
  }

  /** To sort what is in order but for its end takes as long as to go through it. */
  function reorder(keys: readonly string[]): void {
    const moved = new Set(keys);
    for (const [index, order] of orders) {
      const kept = order.filter(({ key }) => !moved.has(key));
      orders.set(index, [...kept, ...entries(index, moved).sort(compareOrdered)].sort(compareOrdered));
    }
  }

  return {
    known,
    changed: (keys) => (keys === undefined ? orders.clear() : reorder(keys)),
    rows: async (keys) => keys.map((key) => structuredClone(known.get(key)?.row)),
    count: async () => ordered(-1).length,
    async list({ index = -1, after, reverse = false, limit = Number.POSITIVE_INFINITY, ...bounds }) {
      const order = ordered(index);
      const last = after && { value: after.value ?? after.key, key: after.key };
      const found: [string, unknown][] = [];
      for (let at = 0; at < order.length && found.length < limit; at += 1) {
        const entry = order[reverse ? order.length - 1 - at : at] as Ordered;
        const beyond = last === undefined || compareOrdered(entry, last) > 0 !== reverse;
        if (beyond && (last === undefined || compareOrdered(entry, last) !== 0) && isWithin(entry.value, bounds)) {
          found.push([entry.key, structuredClone(known.get(entry.key)?.row)]);
        }
      }
      return found;
    },
  };
}

/** What an entry stands by in a list. */
export interface Ordered {
  readonly value: IndexValue;
  readonly key: string;
}

/** IndexedDB's order: numbers before texts, texts by code units. */
function compareValues(a: IndexValue, b: IndexValue): number {
  if (typeof a !== typeof b) {
    return typeof a === "number" ? -1 : 1;
  }
  return a < b ? -1 : a > b ? 1 : 0;
}

/** The order of a list. */
export function compareOrdered(a: Ordered, b: Ordered): number {
  return compareValues(a.value, b.value) || compareValues(a.key, b.key);
}

function isWithin(value: IndexValue, { gte, gt, lte, lt, prefix }: RowRange): boolean {
  return (
    (gte === undefined || compareValues(value, gte) >= 0) &&
    (gt === undefined || compareValues(value, gt) > 0) &&
    (lte === undefined || compareValues(value, lte) <= 0) &&
    (lt === undefined || compareValues(value, lt) < 0) &&
    (prefix === undefined || (typeof value === "string" && value.startsWith(prefix)))
  );
}
