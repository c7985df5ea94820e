/**
 * Folding events into rows: values in, values out.
 *
 * A fold works on rows that nobody else holds, because `evolve` may change the row that it is given.
 * What it does not know yet it names, so that the caller fetches all of it at once.
 */
import type { CoreQuery, IndexValue } from "./core.js";
import { type AnyEverfoldError, EverfoldError, isEverfoldError } from "./errors.js";
import type { RecordedEvent } from "./event.js";
import { jsonProblem } from "./json.js";
import type { AnyProjection } from "./projection.js";
import { aggregateNameOf } from "./stream-id.js";
import { placeOf, schemaVersionOf } from "./upcast.js";

/** Rows by key, as far as they are known; undefined where there is none. */
export type KnownRows = Map<string, unknown>;

/** Index values by the number of the index; null where the row is not in it. */
export type IndexValues = readonly (IndexValue | null)[];

/** A row that changed: what was in the indexes before, what is now. `row` undefined: deleted. */
export interface RowChange {
  readonly key: string;
  readonly row: unknown;
  readonly before: IndexValues;
  readonly after: IndexValues;
}

/** An event with the keys of the rows that it is about. */
export interface KeyedEvent {
  readonly event: RecordedEvent;
  readonly keys: readonly string[];
}

/** What of the log a projection wants; several aggregates are told apart by `keyEvents`. */
export function projectionQuery({ from, events }: AnyProjection): CoreQuery {
  return {
    clock: "occurred",
    direction: "forward",
    ...(from?.length === 1 ? { prefix: `${from[0]?.name}-` } : undefined),
    ...(events === undefined ? undefined : { types: events }),
  };
}

/** Asks the projection which rows each event is about. Throws `projection-failed`. */
export function keyEvents(projection: AnyProjection, events: readonly RecordedEvent[]): KeyedEvent[] {
  const names = projection.from && new Set(projection.from.map(({ name }) => name));
  const keyed: KeyedEvent[] = [];
  for (const event of events) {
    if (names === undefined || names.has(aggregateNameOf(event.streamId))) {
      const keys = keysOf(projection, event);
      if (keys.length > 0) {
        keyed.push({ event, keys });
      }
    }
  }
  return keyed;
}

/**
 * Folds events into `rows`, which must know every key. Throws `projection-failed`; `rows` may then be
 * half changed and must be dropped.
 *
 * Each row is checked after each event, although only the last is stored: what fails must not depend
 * on how many events happen to be folded at once.
 */
export function foldRows(projection: AnyProjection, events: readonly KeyedEvent[], rows: KnownRows): RowChange[] {
  const changes = new Map<string, { key: string; row: unknown; before: IndexValues; after: IndexValues }>();
  for (const { event, keys } of events) {
    for (const key of keys) {
      attempt(projection, event, () => {
        const row = rows.get(key);
        let change = changes.get(key);
        if (change === undefined) {
          const before = indexValues(projection, row);
          change = { key, row, before, after: before };
          changes.set(key, change);
        }
        // Rows of several keys must not share parts: each gets data of its own.
        change.row = projection.evolve(row, keys.length === 1 ? event : structuredClone(event), key);
        change.after = checkRow(projection, change.row);
        rows.set(key, change.row);
      });
    }
  }
  return [...changes.values()];
}

/** The value of each index; null where the row is not in it. */
export function indexValues(projection: AnyProjection, row: unknown): IndexValues {
  return Object.entries(projection.indexes).map(([name, index]) => {
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

function checkRow(projection: AnyProjection, row: unknown): IndexValues {
  if (row === null) {
    throw new TypeError("a row is null: return undefined to delete it");
  }
  const problem = row === undefined ? undefined : jsonProblem(row);
  if (problem !== undefined) {
    throw new TypeError(`row${problem.path} ${problem.message}`);
  }
  return indexValues(projection, row);
}

function keysOf(projection: AnyProjection, event: RecordedEvent): readonly string[] {
  const owner = projection.from?.find(({ name }) => name === aggregateNameOf(event.streamId));
  if (owner !== undefined && event.schemaVersion > schemaVersionOf(owner, event.type)) {
    const known = schemaVersionOf(owner, event.type);
    throw new EverfoldError(
      "app-outdated",
      `${projection.name}: event ${event.eventId} (${event.type}) has schema version ${event.schemaVersion}, this app knows ${known}`,
      { ...placeOf(event), definition: projection.name, found: event.schemaVersion, known },
    );
  }
  return attempt(projection, event, () => {
    const keys = projection.key(event);
    const list = keys === null ? [] : typeof keys === "string" ? [keys] : [...new Set(keys)];
    for (const key of list) {
      if (typeof key !== "string" || !key.isWellFormed()) {
        throw new TypeError("key must return well-formed texts, or null");
      }
    }
    return list;
  });
}

function attempt<T>(projection: AnyProjection, event: RecordedEvent, run: () => T): T {
  try {
    return run();
  } catch (cause) {
    if (isEverfoldError(cause)) {
      throw cause;
    }
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new EverfoldError(
      "projection-failed",
      `projection ${projection.name} stopped at event ${event.eventId} (${event.type}): ${reason}`,
      { projection: projection.name, ...placeOf(event) },
      { cause },
    );
  }
}

/** Whether an error says that a projection cannot go past an event. */
export function isFoldFailure(error: unknown): error is AnyEverfoldError {
  return (
    isEverfoldError(error, "projection-failed") ||
    isEverfoldError(error, "app-outdated") ||
    isEverfoldError(error, "upcast-failed")
  );
}
