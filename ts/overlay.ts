/**
 * Rows with what is pending folded on top.
 *
 * Stored rows cover the confirmed part of the log only, as what follows may still move, change or go. Here are the
 * rows that pending events touch, as they are after them; a reading takes those from here and all others from what is
 * stored, in one order.
 */
import type { AnyProjection } from "./projection.js";
import { indexValues } from "./row-fold.js";
import { compareOrdered, memoryRows, type Ordered, type RowRange } from "./row-table.js";

/** A row that pending events touched. */
export interface PendingRow {
  readonly key: string;
  /** Undefined if they deleted it. */
  readonly row: unknown;
}

/** Folds pending events over rows that stay as they are. */
export interface PendingFold {
  /** Folds on, up to `until`, and gives the rows that this changed. Null if the rows below are gone. */
  advance(until: number): Promise<readonly PendingRow[] | null>;
  end(): void;
}

/** Reading rows below; the answers are null when they are gone. */
export interface BaseRows {
  rows(keys: readonly string[]): Promise<readonly unknown[] | null>;
  list(range: RowRange): Promise<readonly (readonly [string, unknown])[] | null>;
  count(): Promise<number | null>;
}

export interface Overlay extends BaseRows {
  /** Takes over rows that have changed. */
  put(rows: readonly PendingRow[]): void;
  /** There are others below: what was pending is confirmed, as it stood. */
  advanced(): void;
}

/** So many rows more than asked for are fetched, at first, for those that are hidden. */
const fewHidden = 64;

/** Nothing pending over `base` yet. */
export function overlayOn(projection: AnyProjection, base: BaseRows): Overlay {
  const above = memoryRows(projection);
  const { known } = above;
  /** Whether its rows are below, too, as far as somebody has counted. */
  let isBelow = new Map<string, boolean>();

  /** What orders an entry of a list. */
  function ordered(index: number | undefined, [key, row]: readonly [string, unknown]): Ordered {
    return { key, value: index === undefined ? key : (indexValues(projection, row)[index] ?? key) };
  }

  return {
    put(rows) {
      for (const { key, row } of rows) {
        known.set(key, { key, row, stored: undefined });
      }
      above.changed(rows.map(({ key }) => key));
    },
    advanced() {
      isBelow = new Map();
    },
    async rows(keys) {
      const below = keys.filter((key) => !known.has(key));
      const found = below.length === 0 ? [] : await base.rows(below);
      if (found === null) {
        return null;
      }
      const rowsBelow = new Map(below.map((key, place) => [key, found[place]]));
      const rowsAbove = await above.rows(keys);
      return keys.map((key, place) => (known.has(key) ? rowsAbove[place] : rowsBelow.get(key)));
    },
    async count() {
      const asked = isBelow;
      const unasked = [...known.keys()].filter((key) => !asked.has(key));
      const found = unasked.length === 0 ? [] : await base.rows(unasked);
      const below = await base.count();
      if (found === null || below === null) {
        return null;
      }
      for (const [place, key] of unasked.entries()) {
        asked.set(key, found[place] != null);
      }
      const hidden = [...asked.values()].filter(Boolean).length;
      return below - hidden + (await above.count());
    },
    async list(range) {
      const { index, reverse = false, limit = Number.POSITIVE_INFINITY } = range;
      const mostHidden = known.size;
      let below: (readonly [string, unknown])[];
      for (let extra = Math.min(mostHidden, fewHidden); ; extra = Math.min(mostHidden, extra * 8)) {
        const asked = limit + extra;
        const found = await base.list(Number.isFinite(asked) ? { ...range, limit: asked } : range);
        if (found === null) {
          return null;
        }
        below = found.filter(([key]) => !known.has(key));
        if (below.length >= limit || found.length < asked || extra === mostHidden) {
          break;
        }
      }
      const pending = await above.list(range);
      if (pending.length === 0) {
        return below.slice(0, limit);
      }
      const entries = [...below, ...pending].map((entry) => ({ entry, order: ordered(index, entry) }));
      entries.sort((a, b) => (reverse ? compareOrdered(b.order, a.order) : compareOrdered(a.order, b.order)));
      return entries.slice(0, limit).map(({ entry }) => entry);
    },
  };
}
