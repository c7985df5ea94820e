/**
 * Reading the log: pages from the core, events to the caller.
 *
 * The end is fixed when the first page is asked for, so a reader that is slower than the writers ends
 * nevertheless. One page is held at a time, but for what is pending.
 */
import type { CoreBatch, CoreQuery } from "./core/reading.js";
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
    return steadyPages(engine, coreQuery(query), signal);
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

/**
 * Pages of a query up to the end of the log as it is now. Events of registered aggregates are upcast. The next page is
 * asked for before one is handed out, so that storage works while the caller does.
 */
export async function* readPages(
  engine: Engine,
  query: CoreQuery,
  signal?: AbortSignal,
): AsyncGenerator<EventPage, void, undefined> {
  const end = Math.min(query.untilPosition ?? Number.MAX_SAFE_INTEGER, engine.log.position());
  const forward = query.direction === "forward";
  let rest: CoreQuery = {
    ...query,
    untilPosition: end,
    ...(query.limit === undefined ? undefined : { limit: coreLimit(query.limit) }),
  };
  let left = query.limit ?? Number.POSITIVE_INFINITY;
  checkAborted(signal);
  let asked = left > 0 ? engine.log.page(rest) : undefined;
  while (asked !== undefined) {
    checkAborted(signal);
    const { batch, next } = await asked;
    checkAborted(signal);
    left -= batch.data.length;
    asked = undefined;
    if (next !== null && left > 0) {
      rest = {
        ...rest,
        ...(forward ? { afterPosition: next } : { untilPosition: next }),
        ...(query.limit === undefined ? undefined : { limit: coreLimit(left) }),
      };
      asked = engine.log.page(rest);
      // It is awaited, unless the caller ends before.
      asked.catch(() => undefined);
    }
    yield {
      events: currentEvents(engine, batch),
      more: asked !== undefined,
      position: next !== null && forward ? next : end,
    };
  }
}

/**
 * The same of one log, although what is pending may move between two pages: its pages are handed out once all of them
 * are there, read again if it has moved. What is confirmed keeps its place.
 */
async function* steadyPages(engine: Engine, query: CoreQuery, signal?: AbortSignal): AsyncGenerator<EventPage, void> {
  const { log } = engine;
  const { afterPosition = 0, limit } = query;
  const forward = query.direction === "forward";
  let [confirmed, end, rebases] = [log.confirmedPosition(), log.position(), log.rebases()];
  if (confirmed === end) {
    yield* readPages(engine, query, signal);
    return;
  }
  let found = 0;
  async function* part(after: number, until: number) {
    const left = limit === undefined ? undefined : { limit: limit - found };
    const bounds = { afterPosition: after, untilPosition: until };
    for await (const page of readPages(engine, { ...query, ...bounds, ...left }, signal)) {
      found += page.events.length;
      yield page;
    }
  }
  if (forward) {
    yield* part(afterPosition, confirmed);
  }
  const before = found;
  for (;;) {
    const pages: EventPage[] = [];
    for await (const page of part(Math.max(afterPosition, confirmed), end)) {
      pages.push(page);
    }
    await log.catchUp();
    if (log.rebases() === rebases) {
      yield* pages;
      break;
    }
    [found, end, rebases] = [before, log.position(), log.rebases()];
    confirmed = forward ? confirmed : log.confirmedPosition();
  }
  if (!forward) {
    yield* part(afterPosition, confirmed);
  }
}

/** The events of a batch, those of registered aggregates upcast; those newer than this app stay as they are. */
function currentEvents(engine: Engine, batch: CoreBatch): RecordedEvent[] {
  const events = recordedEvents(batch);
  const owners = new Set(batch.streams.map(engine.aggregateOf));
  const mayBeOld = batch.types.some((type) =>
    [...owners].some((owner) => owner !== undefined && schemaVersionOf(owner, type) > 1),
  );
  if (mayBeOld) {
    for (const event of events) {
      const owner = engine.aggregateOf(event.streamId);
      if (owner !== undefined && event.schemaVersion < schemaVersionOf(owner, event.type)) {
        upcastEvent(owner, event);
      }
    }
  }
  return events;
}

/** A limit as the core takes it, which counts to 2^32: as good as any that is higher. */
export function coreLimit(limit: number): number {
  return Math.min(limit, 2 ** 32 - 1);
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
