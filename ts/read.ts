/**
 * Reading the log: pages from the core, events to the caller.
 *
 * The end is fixed when the first page is asked for, so a reader that is slower than the writers ends
 * nevertheless. One page is held at a time.
 */
import type { CoreQuery } from "./core.js";
import type { Engine } from "./engine.js";
import { EverfoldError, invalidArgument } from "./errors.js";
import type { AnyEvent, RecordedEvent } from "./event.js";
import { recordedEvents } from "./recorded.js";
import { checkId, checkOrdinal, checkTime } from "./stream-id.js";
import type { Clock, EventReader, ReadQuery } from "./types.js";
import { schemaVersionOf, upcastEvent } from "./upcast.js";

/** A page of events in its place. */
export interface EventPage {
  readonly events: RecordedEvent[];
  /** Whether more follows. */
  readonly more: boolean;
  /** Forward: every event up to here has been looked at. */
  readonly position: number;
}

/** The events that a query finds. Nothing happens before the first `next()`. */
export function readEvents<E extends AnyEvent>(engine: Engine, query: ReadQuery): EventReader<E> {
  const { signal } = query;
  const start = () => {
    engine.check();
    return readPages(engine, coreQuery(query), signal);
  };
  return {
    async *[Symbol.asyncIterator]() {
      for await (const { events } of start()) {
        for (const event of events as RecordedEvent<E>[]) {
          checkAborted(signal);
          yield event;
        }
      }
    },
    async *batches() {
      for await (const { events } of start()) {
        if (events.length > 0) {
          yield events as RecordedEvent<E>[];
        }
      }
    },
  };
}

/** Pages of a query up to the end of the log as it is now. Events of registered aggregates are upcast. */
export async function* readPages(
  engine: Engine,
  query: CoreQuery,
  signal?: AbortSignal,
): AsyncGenerator<EventPage, void, undefined> {
  const end = Math.min(query.untilPosition ?? Number.MAX_SAFE_INTEGER, engine.log.position());
  let rest: CoreQuery = { ...query, untilPosition: end };
  let left = query.limit ?? Number.POSITIVE_INFINITY;
  while (left > 0) {
    checkAborted(signal);
    const { batch, next } = await engine.log.page(rest);
    checkAborted(signal);
    const events = recordedEvents(batch);
    for (const event of events) {
      upcastIfKnown(engine, event);
    }
    left -= events.length;
    yield {
      events,
      more: next !== null && left > 0,
      position: next !== null && query.direction === "forward" ? next : end,
    };
    if (next === null) {
      return;
    }
    rest = {
      ...rest,
      ...(query.direction === "forward" ? { afterPosition: next } : { untilPosition: next }),
      ...(query.limit === undefined ? undefined : { limit: left }),
    };
  }
}

/** Upcasts an event of a registered aggregate; one newer than this app stays as it is. */
function upcastIfKnown(engine: Engine, event: RecordedEvent): void {
  const aggregate = engine.aggregateOf(event.streamId);
  if (aggregate !== undefined && event.schemaVersion < schemaVersionOf(aggregate, event.type)) {
    upcastEvent(aggregate, event);
  }
}

/** Checks a query and says it as the core takes it. */
export function coreQuery(query: ReadQuery): CoreQuery {
  const { streamId, aggregate, streams, types, afterPosition, from, until, limit, direction = "forward" } = query;
  if (direction !== "forward" && direction !== "backward") {
    throw invalidArgument("direction", `direction is ${String(direction)}, must be "forward" or "backward"`);
  }
  return {
    clock: checkClock(query.clock),
    direction,
    ...(streamId === undefined ? undefined : { streamId: checkId(streamId, "streamId") }),
    ...(aggregate === undefined
      ? undefined
      : { prefix: `${typeof aggregate === "string" ? aggregate : aggregate.name}-` }),
    ...(streams === undefined ? undefined : { streams: checkTexts(streams, "streams") }),
    ...(types === undefined ? undefined : { types: checkTexts(types, "types") }),
    ...(afterPosition === undefined ? undefined : { afterPosition: checkOrdinal(afterPosition, "afterPosition") }),
    ...(from === undefined ? undefined : { from: checkTime(from, "from") }),
    ...(until === undefined ? undefined : { until: checkTime(until, "until") }),
    ...(limit === undefined ? undefined : { limit: checkOrdinal(limit, "limit") }),
  };
}

/** Checks a `clock`, which defaults to when things happened. */
export function checkClock(clock: Clock | undefined): Clock {
  if (clock !== undefined && clock !== "occurred" && clock !== "recorded") {
    throw invalidArgument("clock", `clock is ${String(clock)}, must be "occurred" or "recorded"`);
  }
  return clock ?? "occurred";
}

function checkTexts(texts: unknown, argument: string): readonly string[] {
  if (!Array.isArray(texts) || !texts.every((text) => typeof text === "string")) {
    throw invalidArgument(argument, `${argument} must be a list of texts`);
  }
  return texts;
}

/** The error of a call that its signal ended. */
export function aborted(signal: AbortSignal): EverfoldError<"aborted"> {
  const cause: unknown = signal.reason;
  const reason = cause instanceof Error ? cause.message : String(cause);
  return new EverfoldError("aborted", `the call was aborted: ${reason}`, { reason }, { cause });
}

/** Throws `aborted` if the signal says so. */
export function checkAborted(signal: AbortSignal | undefined): void {
  if (signal?.aborted) {
    throw aborted(signal);
  }
}
