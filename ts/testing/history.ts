/**
 * Histories for tests: events as a store would have recorded them, without a store.
 */
import type { AnyAggregate, EventOf, StateOf } from "../aggregate.js";
import type { AnyEvent, RecordedEvent, StreamEvent } from "../event.js";
import { asStored, deepFreeze } from "../json.js";
import { newEvent } from "../new-event.js";
import { eventIdOf } from "../recorded.js";
import { aggregateNameOf } from "../stream-id.js";
import { upcastEvent } from "../upcast.js";

/** An event as it may have been stored long ago: with an older `schemaVersion` it goes through the upcasters. */
export type GivenEvent<E extends AnyEvent> =
  | E
  | {
      readonly type: E["type"];
      readonly data: unknown;
      readonly metadata?: unknown;
      readonly occurredAt?: number;
      readonly schemaVersion: number;
    };

/** Records events in their order, one commit each; time goes by a millisecond an event. */
export function recordHistory(
  events: readonly StreamEvent[],
  aggregates: readonly AnyAggregate[],
): readonly RecordedEvent[] {
  const versions = new Map<string, number>();
  return events.map((given, index) => {
    const { streamId } = given;
    const aggregate = aggregates.find(({ name }) => name === aggregateNameOf(streamId));
    const old = (given as { readonly schemaVersion?: number }).schemaVersion;
    const position = index + 1;
    const checked = newEvent(
      given,
      old === undefined ? aggregate : undefined,
      { occurredAt: position },
      `event ${position}`,
    );
    const version = (versions.get(streamId) ?? 0) + 1;
    versions.set(streamId, version);
    const commitId = `given-${position}`;
    const event = {
      ...checked,
      schemaVersion: old ?? checked.schemaVersion,
      eventId: eventIdOf(commitId, 1, 0),
      streamId,
      version,
      position,
      recordedAt: checked.occurredAt,
      commitId,
      attempt: 1,
      replicaId: "test",
      status: "confirmed",
    } as RecordedEvent;
    if (aggregate !== undefined) {
      upcastEvent(aggregate, event);
    }
    return event;
  });
}

/** Folds a stream as a store does: states are frozen, and `evolve` sees what was written and no more. */
export function foldHistory<A extends AnyAggregate>(aggregate: A, events: readonly AnyEvent[]): StateOf<A> {
  return events.reduce((state: unknown, event, index) => {
    try {
      return deepFreeze(aggregate.evolve(state, asWritten(event)));
    } catch (cause) {
      throw new Error(`evolve failed at event ${index + 1} (${event.type}): ${String(cause)}`, { cause });
    }
  }, deepFreeze(aggregate.initialState())) as StateOf<A>;
}

/** What a decision returned, checked; with a time only where the decision gave one. */
export function checkDecided<A extends AnyAggregate>(aggregate: A, events: readonly EventOf<A>[]): readonly AnyEvent[] {
  return events.map((event, index) => {
    const checked = newEvent(event, aggregate, { occurredAt: 0 }, `event ${index + 1}`);
    return asWritten({ ...checked, occurredAt: event.occurredAt });
  });
}

function asWritten({ type, data, metadata, occurredAt }: AnyEvent): AnyEvent {
  return {
    type,
    ...(data !== undefined && { data }),
    ...(metadata !== undefined && { metadata }),
    ...(occurredAt !== undefined && { occurredAt }),
  };
}

/** A command as `decide` gets it: a frozen copy. */
export function checkCommand<C>(command: C): C {
  return deepFreeze(asStored(command, "invalid-argument", "command"));
}
