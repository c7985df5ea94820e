/**
 * Receipts: what a call that committed gives back.
 */
import type { CoreNewCommit } from "./core.js";
import type { RecordedEvent } from "./event.js";
import type { Appended } from "./group-commit.js";
import type { Log } from "./log.js";
import { aborted } from "./read.js";
import { eventIdOf, recordedEvents } from "./recorded.js";
import type { Abortable, CommitReceipt, Confirmable } from "./types.js";

/** The events of a commit that has just been written, as reading them would give them. */
export function eventsWritten(commit: CoreNewCommit, appended: Appended, replicaId: string): RecordedEvent[] {
  const { commitId, attempt } = appended;
  const { recordedAt, causationId, correlationId } = commit;
  const events: RecordedEvent[] = [];
  for (const [index, stream] of commit.streams.entries()) {
    const firstVersion = appended.streams[index]?.firstVersion ?? 0;
    for (const [offset, event] of stream.events.entries()) {
      const place = events.length;
      events.push({
        eventId: eventIdOf(commitId, attempt, place),
        streamId: stream.streamId,
        version: firstVersion + offset,
        position: appended.position + place,
        type: event.type,
        ...(event.data === undefined ? undefined : { data: event.data }),
        occurredAt: event.occurredAt,
        recordedAt,
        commitId,
        attempt,
        replicaId,
        status: "confirmed",
        schemaVersion: event.schemaVersion,
        ...(event.metadata === undefined ? undefined : { metadata: event.metadata as Record<string, unknown> }),
        ...(causationId === undefined ? undefined : { causationId }),
        ...(correlationId === undefined ? undefined : { correlationId }),
      } as RecordedEvent);
    }
  }
  return events;
}

/** Position of the last event of a commit. */
export function lastPosition({ position, streams }: Appended): number {
  return streams.reduce((last, { firstVersion, lastVersion }) => last + lastVersion - firstVersion + 1, position - 1);
}

/** The events of a commit that was written earlier, as stored. */
export async function eventsOfCommit(log: Log, appended: Appended): Promise<RecordedEvent[]> {
  const { batch } = await log.page({
    afterPosition: appended.position - 1,
    untilPosition: lastPosition(appended),
    clock: "occurred",
    direction: "forward",
  });
  return recordedEvents(batch);
}

/** Adds `confirmed`: without sync every commit is confirmed by being on disk. */
export function confirmable<T extends CommitReceipt>(receipt: T): T & Confirmable<T> {
  return {
    ...receipt,
    async confirmed({ signal }: Abortable = {}) {
      if (signal?.aborted) {
        throw aborted(signal);
      }
      return { ...receipt, changed: false };
    },
  };
}
