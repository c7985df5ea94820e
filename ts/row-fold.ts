/**
 * Folding events into rows: values in, values out.
 *
 * A fold works on rows that nobody else holds, because `evolve` may change the row that it is given.
 * What it does not know yet it names, so that the caller fetches all of it at once.
 */
import type { CoreQuery } from "./core/reading.js";
import type { IndexValue } from "./core/rows.js";
import type { Engine } from "./engine.js";
import { type AnyEverfoldError, EverfoldError, isEverfoldError } from "./errors.js";
import type { RecordedEvent } from "./event.js";
import { jsonProblem } from "./json.js";
import type { AnyProjection } from "./projection.js";
import { aggregateNameOf } from "./stream-id.js";
import { placeOf, schemaVersionOf } from "./upcast.js";

/** Index values by the number of the index; null where the row is not in it. */
export type IndexValues = readonly (IndexValue | null)[];

/** A row in memory. */
export interface KnownRow {
  readonly key: string;
  /** Undefined where there is none. */
  row: unknown;
  /** What is stored of it in the indexes, if it has changed since; else undefined. */
  stored: IndexValues | undefined;
}

/** Rows by key, as far as they are known. */
export type KnownRows = Map<string, KnownRow>;

/** The keys of the rows that each of some events is about; null for none. */
export type EventKeys = readonly (string | readonly string[] | null)[];

/** What of the log a projection wants; several aggregates are told apart by `keyEvents`. */
export function projectionQuery({ from, events }: AnyProjection): CoreQuery {
  return {
    clock: "occurred",
    direction: "forward",
    ...(from?.length === 1 ? { prefix: `${from[0]?.name}-` } : undefined),
    ...(events === undefined ? undefined : { types: events }),
  };
}

/** Asks the projection which rows each event is about. Throws `projection-failed`, or `app-outdated`. */
export function keyEvents(
  { aggregateOf }: Pick<Engine, "aggregateOf">,
  projection: AnyProjection,
  events: readonly RecordedEvent[],
): EventKeys {
  const keys = new Array<EventKeys[number]>(events.length);
  let event: RecordedEvent | undefined;
  try {
    for (let place = 0; place < events.length; place++) {
      event = events[place] as RecordedEvent;
      keys[place] = isWanted(projection, event, aggregateOf) ? checkKeys(projection.key(event)) : null;
    }
  } catch (cause) {
    throw failureAt(projection, event as RecordedEvent, cause);
  }
  return keys;
}

/** Those of the keys whose rows are not known. */
export function unknownKeys(keys: EventKeys, rows: KnownRows): string[] {
  const unknown = new Set<string>();
  for (const key of keys) {
    if (typeof key === "string") {
      if (!rows.has(key)) {
        unknown.add(key);
      }
    } else {
      for (const one of key ?? []) {
        if (!rows.has(one)) {
          unknown.add(one);
        }
      }
    }
  }
  return [...unknown];
}

/** Takes over a row as it is stored. */
export function know(rows: KnownRows, key: string, row: unknown): KnownRow {
  const known = { key, row, stored: undefined };
  rows.set(key, known);
  return known;
}

/**
 * Folds events into `rows`; a row that is not known there is not stored either. Adds those that change to `changed`,
 * once. Throws `projection-failed`; `rows` may then be half changed and must be dropped.
 *
 * Each row is checked after each event, although only the last is stored: what fails must not depend on how many
 * events happen to be folded at once. For a small row that takes a twentieth of a microsecond.
 */
export function foldRows(
  projection: AnyProjection,
  events: readonly RecordedEvent[],
  keys: EventKeys,
  rows: KnownRows,
  changed: KnownRow[],
): void {
  const hasIndexes = indexList(projection).length > 0;
  let event: RecordedEvent | undefined;

  function foldInto(key: string, seen: RecordedEvent): void {
    const known = rows.get(key) ?? know(rows, key, undefined);
    if (known.stored === undefined) {
      known.stored = hasIndexes ? indexValues(projection, known.row) : noValues;
      changed.push(known);
    }
    known.row = projection.evolve(known.row, seen, key);
    checkRow(known.row);
    if (hasIndexes) {
      indexValues(projection, known.row);
    }
  }

  try {
    for (let place = 0; place < events.length; place++) {
      event = events[place] as RecordedEvent;
      const key = keys[place];
      if (typeof key === "string") {
        foldInto(key, event);
      } else if (key?.length === 1) {
        foldInto(key[0] as string, event);
      } else if (key) {
        // Rows of several keys must not share parts: each gets data of its own.
        for (const one of key) {
          foldInto(one, structuredClone(event));
        }
      }
    }
  } catch (cause) {
    throw failureAt(projection, event as RecordedEvent, cause);
  }
}

const noValues: IndexValues = [];

type Indexes = readonly (readonly [name: string, index: (row: unknown) => IndexValue | undefined])[];
const indexLists = new WeakMap<AnyProjection, Indexes>();

function indexList(projection: AnyProjection): Indexes {
  let list = indexLists.get(projection);
  if (list === undefined) {
    list = Object.entries(projection.indexes);
    indexLists.set(projection, list);
  }
  return list;
}

/** The value of each index; null where the row is not in it. */
export function indexValues(projection: AnyProjection, row: unknown): IndexValues {
  return indexList(projection).map(([name, index]) => {
    const value = row === undefined ? undefined : index(row);
    if (value === undefined) {
      return null;
    }
    if (typeof value === "string" ? !value.isWellFormed() : !Number.isFinite(value)) {
      throw new TypeError(`index "${name}" must be a well-formed text, a finite number or undefined`);
    }
    return typeof value === "number" ? value + 0 : value;
  });
}

function checkRow(row: unknown): void {
  if (row === null) {
    throw new TypeError("a row is null: return undefined to delete it");
  }
  const problem = row === undefined ? undefined : jsonProblem(row);
  if (problem !== undefined) {
    throw new TypeError(`row${problem.path} ${problem.message}`);
  }
}

/** Whether the event is of one of the aggregates that the projection is from. Throws if its schema is newer than this app. */
function isWanted({ name, from }: AnyProjection, event: RecordedEvent, aggregateOf: Engine["aggregateOf"]): boolean {
  if (from === undefined && event.schemaVersion === 1) {
    return true;
  }
  const aggregate = aggregateNameOf(event.streamId);
  const owner = from === undefined ? aggregateOf(event.streamId) : from.find((other) => other.name === aggregate);
  if (owner === undefined) {
    return from === undefined;
  }
  const known = schemaVersionOf(owner, event.type);
  if (event.schemaVersion > known) {
    throw new EverfoldError(
      "app-outdated",
      `${name}: event ${event.eventId} (${event.type}) has schema version ${event.schemaVersion}, this app knows ${known}`,
      { ...placeOf(event), definition: name, found: event.schemaVersion, known },
    );
  }
  return true;
}

function checkKeys(keys: EventKeys[number]): EventKeys[number] {
  if (typeof keys === "string") {
    checkKey(keys);
    return keys;
  }
  if (keys === null) {
    return null;
  }
  const list = [...new Set(keys)];
  list.forEach(checkKey);
  return list;
}

function checkKey(key: unknown): void {
  if (typeof key !== "string" || !key.isWellFormed()) {
    throw new TypeError("key must return well-formed texts, or null");
  }
}

function failureAt(projection: AnyProjection, event: RecordedEvent, cause: unknown): EverfoldError {
  // What a definition throws may be an error of this package, too.
  if (isFoldFailure(cause) || isEverfoldError(cause, "wasm-failed")) {
    return cause;
  }
  const reason = cause instanceof Error ? cause.message : String(cause);
  return new EverfoldError(
    "projection-failed",
    `projection ${projection.name} stopped at event ${event.eventId} (${event.type}): ${reason}`,
    { projection: projection.name, ...placeOf(event) },
    { cause },
  );
}

/** Whether an error says that a projection cannot go past an event. */
export function isFoldFailure(error: unknown): error is AnyEverfoldError {
  return (
    isEverfoldError(error, "projection-failed") ||
    isEverfoldError(error, "app-outdated") ||
    isEverfoldError(error, "upcast-failed")
  );
}
