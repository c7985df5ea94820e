/**
 * Receipts: what a call that committed gives back.
 */
import { storeClosed } from "./connection.js";
import type { CoreNewCommit } from "./core/writing.js";
import type { Engine } from "./engine.js";
import { checkOptions, EverfoldError } from "./errors.js";
import type { RecordedEvent } from "./event.js";
import type { Appended } from "./group-commit.js";
import type { Log } from "./log.js";
import { aborted, checkAborted } from "./read.js";
import { eventIdOf, recordedEvents } from "./recorded.js";
import { refusedError } from "./sync/refusals.js";
import type { Abortable, CommitReceipt, Confirmable } from "./types.js";

/** The events of a commit that has just been written, as reading them would give them. */
export function eventsWritten(engine: Engine, commit: CoreNewCommit, appended: Appended): RecordedEvent[] {
  const { commitId, attempt, position } = appended;
  const status = position > engine.log.confirmedPosition() ? "pending" : "confirmed";
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
        replicaId: engine.replicaId,
        status,
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
export function lastPosition({ position, streams }: Omit<Appended, "status">): number {
  return streams.reduce((last, { firstVersion, lastVersion }) => last + lastVersion - firstVersion + 1, position - 1);
}

/** The events of a commit that was written earlier, as stored. */
export async function eventsOfCommit(log: Log, appended: Omit<Appended, "status">): Promise<RecordedEvent[]> {
  const { commitId, position } = appended;
  const last = lastPosition(appended);
  const { batch } = await log.page({
    afterPosition: position - 1,
    untilPosition: last,
    clock: "occurred",
    direction: "forward",
  });
  const events = recordedEvents(batch);
  if (events.length > last - position && events.every((event) => event.commitId === commitId)) {
    return events;
  }
  // It is pending, and has moved since its place was asked for, or is gone.
  const moved = await log.outcome(commitId);
  if (moved?.status === "refused") {
    throw refusedError(moved);
  }
  return moved !== null && "streams" in moved ? eventsOfCommit(log, moved) : events;
}

/**
 * Adds `confirmed`. What is not pending is confirmed by being on disk; `readAgain` makes the receipt of a commit that has
 * moved or was decided anew. With another `content` than it had, the commit of its id is not it.
 */
export function confirmable<T extends CommitReceipt>(
  engine: Engine,
  receipt: T,
  content: string,
  readAgain: (outcome: Appended) => Promise<T>,
): T & Confirmable<T> {
  return {
    ...receipt,
    async confirmed(options: Abortable = {}) {
      const { signal } = checkOptions(options);
      checkAborted(signal);
      const [first] = receipt.events;
      if (first?.status !== "pending") {
        return { ...receipt, changed: (first?.attempt ?? 1) > 1 };
      }
      const outcome = await confirmation(engine, receipt.commitId, content, signal);
      return { ...(await readAgain(outcome)), changed: outcome.attempt > 1 };
    },
  };
}

/** Resolves when the server has taken a pending commit; rejects when it will not. */
function confirmation(
  engine: Engine,
  commitId: string,
  content: string,
  signal: AbortSignal | undefined,
): Promise<Appended> {
  const { log } = engine;
  return new Promise((resolve, reject) => {
    const look = async () => {
      try {
        const outcome = await log.outcome(commitId, content);
        if (outcome === null) {
          throw new EverfoldError("storage-corrupt", `${commitId} is not in the log any more`, { record: commitId });
        }
        if (outcome.status === "refused") {
          throw refusedError(outcome);
        }
        if (outcome.status === "failed") {
          throw refusedError({ status: "refused", kind: "refused", commitId, reason: outcome.error });
        }
        if ("streams" in outcome && outcome.status !== "pending") {
          end();
          resolve(outcome);
        }
      } catch (error) {
        end();
        reject(error);
      }
    };
    const onAbort = () => {
      end();
      reject(aborted(signal as AbortSignal));
    };
    const stopListening = [
      log.onChange(({ settled }) => {
        if (settled === "all" || settled.some((one) => one.commitId === commitId)) {
          void look();
        }
      }),
      engine.onClose(() => {
        end();
        reject(storeClosed(engine.name));
      }),
    ];
    const end = () => {
      signal?.removeEventListener("abort", onAbort);
      for (const stop of stopListening) {
        stop();
      }
    };
    signal?.addEventListener("abort", onAbort);
    void look();
  });
}
