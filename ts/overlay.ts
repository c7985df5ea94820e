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
  /** Takes over rows that have changed. False if the rows below are gone. */
  put(rows: readonly PendingRow[]): Promise<boolean>;
}

/** So many rows more than asked for are fetched, at first, for those that are hidden. */
const fewHidden = 64;

/** Nothing pending over `base` yet. */
export function overlayOn(projection: AnyProjection, base: BaseRows): Overlay {
  const above = memoryRows(projection);
  const { known } = above;
  /** Keys of rows that are below, too: what is there does not count. */
  const hidden = new Set<string>();

  /** What orders an entry of a list. */
  function ordered(index: number | undefined, [key, row]: readonly [string, unknown]): Ordered {
    return { key, value: index === undefined ? key : (indexValues(projection, row)[index] ?? key) };
  }

  return {
    async put(rows) {
      const news = rows.filter(({ key }) => !known.has(key)).map(({ key }) => key);
      const found = news.length === 0 ? [] : await base.rows(news);
      if (found === null) {
        return false;
      }
      for (const [place, key] of news.entries()) {
        if (found[place] != null) {
          hidden.add(key);
        }
      }
      for (const { key, row } of rows) {
        known.set(key, { key, row, stored: undefined });
      }
      above.changed();
      return true;
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
      const below = await base.count();
      return below === null ? null : below - hidden.size + (await above.count());
    },
    async list(range) {
      const { index, reverse = false, limit = Number.POSITIVE_INFINITY } = range;
      let below: (readonly [string, unknown])[];
      for (let extra = Math.min(hidden.size, fewHidden); ; extra = Math.min(hidden.size, extra * 8)) {
        const asked = limit + extra;
        const found = await base.list(Number.isFinite(asked) ? { ...range, limit: asked } : range);
        if (found === null) {
          return null;
        }
        below = found.filter(([key]) => !known.has(key));
        if (below.length >= limit || found.length < asked || extra === hidden.size) {
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
