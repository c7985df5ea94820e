/**
 * From the core's batches to the events that users read.
 *
 * The core hands over flat lists, parsed by one `JSON.parse`; here each event becomes a plain object,
 * with all its common properties in one literal, so that all events of a log have one shape.
 */
import { type CoreBatch, NUMBERS_PER_EVENT } from "./core/reading.js";
import type { Event, Recorded, RecordedEvent } from "./event.js";

/** An id that needs no storage: it follows from where the event is. */
export function eventIdOf(commitId: string, attempt: number, index: number | ""): string {
  return `${commitId}:${attempt}:${index}`;
}

/** The events of a batch in its order, as stored: no upcaster has run. */
export function recordedEvents(batch: CoreBatch): RecordedEvent[] {
  const { types, streams, commits, data, metadata, numbers } = batch;
  const events = new Array<RecordedEvent>(data.length);
  let number = -1;
  let [commitId, attempt, recordedAt, replicaId, status, actor, causation, correlation, received] = noCommit;
  let idPrefix = "";
  let plain = true;
  for (let at = 0, place = 0; place < events.length; at += NUMBERS_PER_EVENT, place++) {
    // The layout is the core's promise; see `CoreBatch`.
    if (numbers[at + 5] !== number) {
      number = numbers[at + 5] as number;
      [commitId, attempt, recordedAt, replicaId, status, actor, causation, correlation, received] = commits[
        number
      ] as CoreCommit;
      idPrefix = eventIdOf(commitId, attempt, "");
      plain = actor === 0 && causation === 0 && correlation === 0 && received === 0;
    }
    const event: Writable = {
      eventId: idPrefix + numbers[at + 6],
      streamId: streams[numbers[at + 1] as number] as string,
      version: numbers[at + 2] as number,
      position: numbers[at + 3] as number,
      type: types[numbers[at] as number] as string,
      occurredAt: numbers[at + 4] as number,
      recordedAt,
      commitId,
      attempt,
      replicaId,
      status: status === 1 ? "confirmed" : "pending",
      schemaVersion: numbers[at + 7] as number,
      // Last, because only the last property is taken away without making the object slow.
      data: data[place],
    };
    if (event.data === null) {
      delete event.data;
    }
    if (!plain) {
      if (actor !== 0) {
        event.actor = actor;
      }
      if (causation !== 0) {
        event.causationId = causation;
      }
      if (correlation !== 0) {
        event.correlationId = correlation;
      }
      if (received !== 0) {
        event.receivedAt = received;
      }
    }
    events[place] = event as RecordedEvent;
  }
  for (const [place, value] of metadata) {
    (events[place] as Writable).metadata = value as Readonly<Record<string, unknown>>;
  }
  return events;
}

type CoreCommit = CoreBatch["commits"][number];

const noCommit: CoreCommit = ["", 0, 0, "", 1, 0, 0, 0, 0];

type Writable = { -readonly [K in keyof Recorded]: Recorded[K] } & {
  -readonly [K in keyof Event<string, unknown>]?: Event<string, unknown>[K];
};
