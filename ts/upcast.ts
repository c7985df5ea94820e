/**
 * Upcasting: old stored shapes become current ones when they are read.
 *
 * What is stored never changes. An event newer than this app's definition is left alone by `read`, and
 * nothing is folded or decided over it.
 */
import type { AnyAggregate } from "./aggregate.js";
import { type EventPlace, EverfoldError } from "./errors.js";
import type { RecordedEvent } from "./event.js";

/** The schema version that this app writes and understands for an event type. */
export function schemaVersionOf(aggregate: AnyAggregate, type: string): number {
  return aggregate.schemaVersions[type] ?? 1;
}

/**
 * Brings an event, which must be nobody else's yet, to the current schema in place. Throws
 * `app-outdated` for a newer one, `upcast-failed` if a step is missing, throws or answers later.
 */
export function upcastEvent(aggregate: AnyAggregate, event: RecordedEvent): void {
  const current = schemaVersionOf(aggregate, event.type);
  if (event.schemaVersion === current) {
    return;
  }
  if (event.schemaVersion > current) {
    throw new EverfoldError(
      "app-outdated",
      `event ${event.eventId} (${event.type}) has schema version ${event.schemaVersion}, ` +
        `this app knows ${current}: update the app`,
      {
        ...placeOf(event),
        definition: aggregate.name,
        found: event.schemaVersion,
        known: current,
      },
    );
  }
  const writable = event as { data: unknown; schemaVersion: number };
  while (writable.schemaVersion < current) {
    const from = writable.schemaVersion;
    const step = aggregate.upcasters[event.type]?.[from];
    if (step === undefined) {
      throw failed(event, from, "there is none: add it to `upcasters`");
    }
    let data: unknown;
    try {
      data = step(event.data);
    } catch (cause) {
      throw failed(event, from, "it threw", cause);
    }
    if (data instanceof Promise) {
      // Nobody else will look at how it ends.
      data.catch(() => undefined);
      throw failed(event, from, "it returned a promise");
    }
    writable.data = data;
    writable.schemaVersion = from + 1;
  }
}

/** Where an event is, for the details of an error. */
export function placeOf(event: RecordedEvent): EventPlace {
  const { eventId, streamId, version, position, type } = event;
  return { eventId, streamId, version, position, type };
}

function failed(event: RecordedEvent, from: number, what: string, cause?: unknown): EverfoldError<"upcast-failed"> {
  return new EverfoldError(
    "upcast-failed",
    `event ${event.eventId} (${event.type}): the upcaster from ${from} to ${from + 1} failed: ${what}`,
    { ...placeOf(event), schemaVersion: from },
    cause === undefined ? undefined : { cause },
  );
}
