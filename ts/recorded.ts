/**
 * From the core's batches to the events that users read.
 *
 * The core hands over flat lists, parsed by one `JSON.parse`; here each event becomes a plain object,
 * with all its common properties in one literal, so that all events of a log have one shape.
 */
import { type CoreBatch, FIELDS_PER_EVENT } from "./core.js";
import type { Event, Recorded, RecordedEvent } from "./event.js";

/** An id that needs no storage: it follows from where the event is. */
export function eventIdOf(commitId: string, attempt: number, index: number): string {
  return `${commitId}:${attempt}:${index}`;
}

/** The events of a batch in its order, as stored: no upcaster has run. */
export function recordedEvents(batch: CoreBatch): RecordedEvent[] {
  const { types, streams, commits, events: fields } = batch;
  const events: RecordedEvent[] = [];
  for (let at = 0; at < fields.length; at += FIELDS_PER_EVENT) {
    // The layout is the core's promise; see `CoreBatch`.
    const commit = commits[fields[at + 5] as number] as CoreBatch["commits"][number];
    const [commitId, attempt, recordedAt, replicaId, status, actor, causation, correlation, received] = commit;
    const event: Writable = {
      eventId: eventIdOf(commitId, attempt, fields[at + 6] as number),
      streamId: streams[fields[at + 1] as number] as string,
      version: fields[at + 2] as number,
      position: fields[at + 3] as number,
      type: types[fields[at] as number] as string,
      occurredAt: fields[at + 4] as number,
      recordedAt,
      commitId,
      attempt,
      replicaId,
      status: status === 1 ? "confirmed" : "pending",
      schemaVersion: fields[at + 7] as number,
      // Last, because only the last property is taken away without making the object slow.
      data: fields[at + 9],
    };
    if (event.data === null) {
      delete event.data;
    }
    const metadata = fields[at + 8];
    if (metadata !== 0) {
      event.metadata = metadata as Readonly<Record<string, unknown>>;
    }
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
    events.push(event as RecordedEvent);
  }
  return events;
}

type Writable = { -readonly [K in keyof Recorded]: Recorded[K] } & {
  -readonly [K in keyof Event<string, unknown>]?: Event<string, unknown>[K];
};
