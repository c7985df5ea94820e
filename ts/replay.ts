/**
 * Debugging by replay: the events of a stream one by one, each with the state that it led to.
 *
 * One page of events is held at a time. An event is upcast when its turn comes, not with its page, so
 * that what fails at an event fails after everything before it was seen.
 */
import type { CoreQuery } from "./core/reading.js";
import type { Engine } from "./engine.js";
import { type AnyEverfoldError, EverfoldError } from "./errors.js";
import type { RecordedEvent } from "./event.js";
import { jsonPatch } from "./json-patch.js";
import { checkAborted } from "./read.js";
import { recordedEvents } from "./recorded.js";
import { foldRecorded, initialState, type States } from "./states.js";
import { checkOrdinal } from "./stream-id.js";
import type { FirstFound, ReplayOptions, ReplayStep } from "./types.js";

/** Events read at once. */
const pageEvents = 4_096;

/** One event folded; `error` says that it could not be. */
interface Step {
  readonly event: RecordedEvent;
  readonly stateBefore: unknown;
  readonly state?: unknown;
  readonly error?: AnyEverfoldError;
}

export async function* replayStream(
  engine: Engine,
  states: States,
  streamId: string,
  options: ReplayOptions,
): AsyncGenerator<ReplayStep, void, undefined> {
  for await (const { event, stateBefore, state, error } of steps(engine, states, streamId, options)) {
    if (error !== undefined) {
      throw error;
    }
    yield { event, state, patch: jsonPatch(stateBefore, state) } as ReplayStep;
  }
}

export async function findFirstStep(
  engine: Engine,
  states: States,
  streamId: string,
  predicate: (state: never, event: never) => boolean,
  options: ReplayOptions,
): Promise<FirstFound | undefined> {
  for await (const { event, stateBefore, state, error } of steps(engine, states, streamId, options)) {
    if (error !== undefined) {
      return { status: "failed", event, stateBefore, error } as FirstFound;
    }
    if (holds(predicate, state, event)) {
      return { status: "found", event, stateBefore, state, patch: jsonPatch(stateBefore, state) } as FirstFound;
    }
  }
  return undefined;
}

/** Folds from `fromVersion` on. Ends after an event that could not be folded. */
async function* steps(
  engine: Engine,
  states: States,
  streamId: string,
  { fromVersion = 1, atVersion = Number.MAX_SAFE_INTEGER, signal }: ReplayOptions,
): AsyncGenerator<Step, void, undefined> {
  const { aggregate } = states;
  const first = Math.max(1, checkOrdinal(fromVersion, "fromVersion"));
  const last = checkOrdinal(atVersion, "atVersion");
  checkAborted(signal);
  const untilPosition = engine.log.position();
  const before = first === 1 ? undefined : await states.loadPast(streamId, { atVersion: first - 1 });
  let stateBefore = before === undefined ? initialState(aggregate) : before.state;
  let query: CoreQuery = { streamId, untilPosition, clock: "occurred", direction: "forward" };
  for (let version = first; version <= last; ) {
    checkAborted(signal);
    engine.check();
    const limit = Math.min(last - version + 1, pageEvents);
    const { batch, next } = await engine.log.page({ ...query, fromVersion: version, limit });
    for (const event of recordedEvents(batch)) {
      checkAborted(signal);
      let state: unknown;
      try {
        state = foldRecorded(aggregate, stateBefore, [event]);
      } catch (error) {
        yield { event, stateBefore, error: error as AnyEverfoldError };
        return;
      }
      yield { event, stateBefore, state };
      stateBefore = state;
      version = event.version + 1;
    }
    if (next === null) {
      return;
    }
    query = { ...query, afterPosition: next };
  }
}

function holds(predicate: (state: never, event: never) => boolean, state: unknown, event: RecordedEvent): boolean {
  try {
    return predicate(state as never, event as never);
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    const message = `predicate threw at event ${event.eventId} (${event.type}): ${reason}`;
    throw new EverfoldError("invalid-argument", message, { argument: "predicate" }, { cause });
  }
}
