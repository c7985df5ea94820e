/**
 * Folding the log into rows, a piece at a time.
 *
 * A fold knows neither where its rows end up nor who waits for them: what drives it says how far to go and
 * takes the rows that changed. So the driver is the same whoever folds, and in whichever language.
 */
import type { CoreQuery } from "./core/reading.js";
import type { Engine } from "./engine.js";
import { type BuildSource, type MemoryFold, ownFoldsOf } from "./folds.js";
import type { AnyProjection } from "./projection.js";
import { type EventPage, readPages } from "./read.js";
import { foldRows, type KnownRow, type KnownRows, keyEvents, know, unknownKeys } from "./row-fold.js";
import { memoryRows, type RowReader, rowChanges, settle } from "./row-table.js";

/** See the module. */
export interface LogFold {
  /** Every event up to here is in the rows. */
  position(): number;
  /** Folds one page on, not beyond `until`; true when it is there. Throws `projection-failed`. */
  advance(until: number): Promise<boolean>;
  /** How many rows have changed since they were last forgotten. */
  changed(): number;
  /** Those rows as `Core.stageRows` takes them: lines, each ended. `breathe` is awaited now and then. */
  parts(breathe: () => Promise<void>): Promise<string>;
  /** Those rows are where `rows` will find them: they need not be kept. */
  forget(): void | Promise<void>;
  /** It is not needed any more. */
  end?(): void;
}

/** A fold that says of which rows its parts are. */
export interface KeyedFold extends LogFold {
  /** Keys of the rows that have changed since they were last forgotten. */
  keys(): readonly string[];
}

/** What a fold in TypeScript is made of. */
interface FoldSource {
  readonly projection: AnyProjection;
  /** Which events; it begins after `afterPosition`. */
  readonly query: CoreQuery;
  readonly signal?: AbortSignal | undefined;
  /** Finds rows that the fold does not know; left out, there are none but those that it made. */
  readonly rows?: Pick<RowReader, "rows"> | undefined;
  /** Where it keeps rows. */
  readonly known?: KnownRows;
}

/** Rows kept in memory when they need not be. */
const rowsKept = 100_000;
/** So long is what is written in one transaction: some 250 small rows, about 10 ms. */
const partCharacters = 16_000;

/** A fold that makes all rows anew. */
export function foldAnew(engine: Engine, projection: AnyProjection, source: BuildSource): KeyedFold {
  return ownFoldsOf(projection)?.build(engine, projection, source) ?? foldLog(engine, { projection, ...source });
}

/** A fold whose rows stay in memory. */
export function foldInMemory(
  engine: Engine,
  projection: AnyProjection,
  query: CoreQuery,
  signal: AbortSignal | undefined,
): MemoryFold {
  const own = ownFoldsOf(projection);
  if (own !== undefined) {
    return own.inMemory(engine, projection, query, signal);
  }
  const rows = memoryRows(projection);
  const { known } = rows;
  return {
    ...foldLog(engine, { projection, query, signal, known }),
    rows,
    all: async () => [...known.values()],
    end() {
      known.clear();
      rows.changed();
    },
  };
}

/** A fold through the projection's own functions. */
function foldLog(engine: Engine, source: FoldSource): KeyedFold {
  const { projection, query, signal, known = new Map() } = source;
  let position = query.afterPosition ?? 0;
  let pages: AsyncGenerator<EventPage, void> | undefined;
  let changed: KnownRow[] = [];
  let stored = source.rows !== undefined && position > 0;

  return {
    position: () => position,
    async advance(until) {
      pages ??= readPages(engine, { ...query, afterPosition: position, untilPosition: until }, signal);
      const page = await pages.next();
      if (page.value === undefined) {
        pages = undefined;
        return true;
      }
      const { events, more, position: reached } = page.value;
      const keys = keyEvents(engine, projection, events);
      if (stored) {
        const unknown = unknownKeys(keys, known);
        const found = unknown.length === 0 ? [] : ((await source.rows?.rows(unknown)) ?? []);
        for (const [place, key] of unknown.entries()) {
          know(known, key, found[place] ?? undefined);
        }
      }
      foldRows(projection, events, keys, known, changed);
      // The log may end before that, as far as it is known here.
      position = Math.max(position, reached);
      if (!more) {
        pages = undefined;
      }
      return !more;
    },
    changed: () => changed.length,
    keys: () => changed.map(({ key }) => key),
    async parts(breathe) {
      let parts = "";
      let part = "";
      for (const row of changed) {
        part += (part === "" ? "[" : ",") + JSON.stringify(rowChanges(projection, [row])[0]);
        if (part.length > partCharacters) {
          parts += `${part}]\n`;
          part = "";
          await breathe();
        }
      }
      return part === "" ? parts : `${parts}${part}]\n`;
    },
    forget() {
      settle(changed);
      changed = [];
      stored = source.rows !== undefined;
      if (known.size > rowsKept) {
        known.clear();
      }
    },
  };
}
