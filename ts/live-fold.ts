/**
 * Folding the log into the live rows of a projection, a page at a time: what is read here is known to the
 * projector, which says where to go on and writes each page before it asks for the next.
 */
import type { CoreProjection, CoreRowWrite } from "./core/rows.js";
import type { Engine } from "./engine.js";
import type { RecordedEvent } from "./event.js";
import type { BaseRows, PendingFold } from "./overlay.js";
import type { AnyProjection } from "./projection.js";
import { readPages } from "./read.js";
import { foldRows, type KnownRow, type KnownRows, keyEvents, know, projectionQuery, unknownKeys } from "./row-fold.js";
import { memoryRows, type RowReader, rowChanges, settle, storedRows } from "./row-table.js";
import { timeSlices } from "./slices.js";

/** One page of the log, folded into rows that are not written yet. */
export interface FoldedPage {
  /** Every event up to here is in the rows. */
  readonly position: number;
  /** How many rows have changed. */
  readonly changed: number;
  /** Their keys; "all" when it is not known which. */
  keys(): ReadonlySet<string> | "all";
  /** Writes them with what `head` says, whose list of rows is empty. False as `Core.writeRows`. */
  write(head: CoreRowWrite): Promise<boolean>;
  /** They are where they belong. */
  settle(): void;
}

/** See the module. */
export interface LiveFold {
  /** Pages of the log, folded into stored rows or, with null, into `memory`. Gives null if the stored rows are gone. */
  pages(stored: CoreProjection | null, after: number, until: number): AsyncIterable<FoldedPage | null>;
  /** Begins to fold what comes after `after`, without writing it, over rows that were folded up to there. */
  pending(stored: CoreProjection | null, after: number): PendingFold;
  /** What is kept of stored rows may not be what is stored. */
  forget(): void;
  /** Rows in memory begin anew. */
  restart(): void;
  readonly memory: RowReader;
  /** Nobody will fold any more. */
  end(): void;
}

/** Rows kept for the next page. */
const rowsKept = 20_000;

/** Folds through the projection's own functions. */
export function foldLive(engine: Engine, projection: AnyProjection): LiveFold {
  const query = projectionQuery(projection);
  const kept: KnownRows = new Map();
  const memory = memoryRows(projection);

  /** Folds into `rows`; those that are not known come from `base`. Null if that is gone. */
  async function fold(
    rows: KnownRows,
    base: Pick<BaseRows, "rows"> | undefined,
    events: readonly RecordedEvent[],
  ): Promise<KnownRow[] | null> {
    const keys = keyEvents(engine, projection, events);
    const unknown = base === undefined ? [] : unknownKeys(keys, rows);
    const found = unknown.length === 0 ? [] : await base?.rows(unknown);
    if (found === null) {
      return null;
    }
    for (const [index, key] of unknown.entries()) {
      know(rows, key, found?.[index] ?? undefined);
    }
    const changed: KnownRow[] = [];
    foldRows(projection, events, keys, rows, changed);
    return changed;
  }

  return {
    async *pages(stored, after, until) {
      const base = stored ? storedRows(engine.connection, stored.generation) : undefined;
      for await (const page of readPages(engine, { ...query, afterPosition: after, untilPosition: until })) {
        const changed = await fold(base ? kept : memory.known, base, page.events);
        yield changed && {
          position: page.position,
          changed: changed.length,
          keys: () => new Set(changed.map(({ key }) => key)),
          write(head) {
            const write = { ...head, rows: rowChanges(projection, changed) };
            return engine.connection.call((core) => core.writeRows(JSON.stringify(write)));
          },
          settle() {
            settle(changed);
            memory.changed();
            if (kept.size > rowsKept) {
              kept.clear();
            }
          },
        };
      }
    },
    pending(stored, after) {
      const rows: KnownRows = new Map();
      const below = stored ? storedRows(engine.connection, stored.generation) : memory;
      // Of many new rows each would be looked for.
      const base = after > 0 ? below : undefined;
      let position = after;
      return {
        async advance(until) {
          const changed = new Set<KnownRow>();
          const breathe = timeSlices();
          for await (const page of readPages(engine, { ...query, afterPosition: position, untilPosition: until })) {
            const folded = await fold(rows, base, page.events);
            if (folded === null) {
              return null;
            }
            settle(folded);
            for (const row of folded) {
              changed.add(row);
            }
            position = page.position;
            await breathe();
          }
          // Of their own: these go on being folded while they are read.
          return [...changed].map(({ key, row }) => ({ key, row: structuredClone(row) }));
        },
        end() {},
      };
    },
    forget: () => kept.clear(),
    restart() {
      memory.known.clear();
      memory.changed();
    },
    memory,
    end() {},
  };
}
