/**
 * States of one aggregate's streams, kept in memory while they are asked for.
 *
 * A slot is what is known of one stream. It says what is on disk; a group of commits that is being
 * decided builds on `tip`, which becomes the slot's state when the group is on disk, or is dropped.
 * A slot goes stale when another tab wrote its stream, and is then folded again.
 */
import type { AnyAggregate } from "./aggregate.js";
import type { Connection } from "./connection.js";
import type { CoreFolded } from "./core/definitions.js";
import type { CoreLoaded } from "./core/reading.js";
import type { CoreNewEvent } from "./core/writing.js";
import type { Core } from "./core.js";
import { EverfoldError, isEverfoldError } from "./errors.js";
import type { AnyEvent, RecordedEvent } from "./event.js";
import { deepFreeze } from "./json.js";
import type { Touched } from "./log.js";
import { recordedEvents } from "./recorded.js";
import type { SnapshotKeeper } from "./snapshots.js";
import type { Clock, Loaded } from "./types.js";
import { placeOf, upcastEvent } from "./upcast.js";

/** What is known of one stream. */
export interface Slot {
  readonly streamId: string;
  state: unknown;
  version: number;
  /** Where the group that is being decided has got to. */
  tip: Loaded<unknown> | undefined;
  /** Must be folded again before it is used. */
  stale: boolean;
  loading: Promise<Slot> | undefined;
}

/** Which part of a stream to fold. */
export interface Past {
  readonly atVersion?: number | undefined;
  readonly at?: number | undefined;
  readonly clock?: Clock | undefined;
}

export interface States {
  readonly aggregate: AnyAggregate;
  /** The stream's slot if it can be used at once. */
  ready(streamId: string): Slot | undefined;
  /** The stream's slot, folded from storage if need be. */
  load(streamId: string): Promise<Slot>;
  /** Folds a part of the stream; nothing is kept. */
  loadPast(streamId: string, past: Past): Promise<Loaded<unknown>>;
  /** Applies new events to a state. Throws `evolve-failed`. */
  evolve(state: unknown, events: readonly CoreNewEvent[]): unknown;
  /**
   * Moves a slot on to what was just written, from the version that it was decided on. What is pending may change yet:
   * it gets no snapshot.
   */
  advance(slot: Slot, from: number, to: Loaded<unknown>, pending: boolean): void;
  /** The stream is now at `version`: a slot that does not know is stale. */
  written(streamId: string, version: number): void;
  forget(touched: Touched): void;
}

/** Streams whose states are kept; the longest unused goes first. */
const slotsKept = 4_096;

/** `merges` says what the log does of merges. */
export function keepStates(
  aggregate: AnyAggregate,
  connection: Connection,
  snapshots: SnapshotKeeper,
  merges: () => number,
): States {
  const slots = new Map<string, Slot>();

  function slotOf(streamId: string): Slot {
    let slot = slots.get(streamId);
    if (slot === undefined) {
      slot = { streamId, state: undefined, version: 0, tip: undefined, stale: true, loading: undefined };
      slots.set(streamId, slot);
      if (slots.size > slotsKept) {
        dropOldest();
      }
    } else {
      slots.delete(streamId);
      slots.set(streamId, slot);
    }
    return slot;
  }

  function dropOldest(): void {
    for (const [streamId, slot] of slots) {
      if (slot.loading === undefined) {
        slots.delete(streamId);
        return;
      }
    }
  }

  async function fill(slot: Slot): Promise<Slot> {
    try {
      // Stale again: it was written while it was read.
      while (slot.stale) {
        slot.stale = false;
        const loaded = await fold(slot.streamId, {});
        slot.state = loaded.state;
        slot.version = loaded.version;
      }
      return slot;
    } catch (error) {
      slot.stale = true;
      slots.delete(slot.streamId);
      throw error;
    } finally {
      slot.loading = undefined;
    }
  }

  async function fold(streamId: string, { atVersion, at, clock = "occurred" }: Past): Promise<Loaded<unknown>> {
    const before = merges();
    const folded = await foldStream(connection, aggregate, streamId, aggregate.version, { atVersion, at, clock });
    const { snapshot, state, version, settled, dropped } = folded;
    if (dropped.length > 0) {
      snapshots.reportDropped(streamId, dropped);
    }
    if (snapshot !== null) {
      snapshots.served(aggregate, streamId, snapshot);
    }
    if (atVersion === undefined && at === undefined && settled !== undefined) {
      snapshots.consider(aggregate, streamId, snapshot?.version ?? 0, settled, before);
    }
    return { state, version };
  }

  return {
    aggregate,
    ready(streamId) {
      const slot = slots.get(streamId);
      return slot === undefined || slot.stale || slot.loading !== undefined ? undefined : slotOf(streamId);
    },
    async load(streamId) {
      const slot = slotOf(streamId);
      if (slot.stale) {
        slot.loading ??= fill(slot);
      }
      return slot.loading ?? slot;
    },
    loadPast: fold,
    evolve: (state, events) =>
      deepFreeze(events.reduce((before, event) => evolveOne(aggregate, before, asWritten(event)), state)),
    advance(slot, from, to, pending) {
      if (slot.version === from && !slot.stale) {
        slot.state = to.state;
        slot.version = to.version;
        if (!pending) {
          snapshots.consider(aggregate, slot.streamId, from, to, merges());
        }
      } else {
        slot.stale = true;
      }
    },
    written(streamId, version) {
      const slot = slots.get(streamId);
      if (slot !== undefined && (slot.loading !== undefined || slot.version !== version)) {
        slot.stale = true;
      }
    },
    forget(touched) {
      for (const streamId of touched === "all" ? slots.keys() : touched) {
        const slot = slots.get(streamId);
        if (slot !== undefined) {
          slot.stale = true;
        }
      }
    },
  };
}

/** A stream's state. */
interface Folded extends Omit<CoreFolded, "confirmed"> {
  readonly state: unknown;
  /** The state at the last confirmed event; undefined where only a later one is known. */
  readonly settled: Loaded<unknown> | undefined;
}

/**
 * Folds a stream as far as it is asked for. Snapshots of version `snapshots` of the aggregate may serve, none if that
 * is 0.
 */
export async function foldStream(
  connection: Connection,
  aggregate: AnyAggregate,
  streamId: string,
  snapshots: number,
  { atVersion = Number.NaN, at = Number.NaN, clock = "occurred" }: Past,
): Promise<Folded> {
  const own = (aggregate as FoldsStreams)[loadsItself];
  if (own !== undefined) {
    const folded = await connection.call((core) => own(core, snapshots, streamId, atVersion, at, clock));
    deepFreeze(folded.state);
    return { ...folded, settled: folded.version <= folded.confirmed ? folded : undefined };
  }
  const name = snapshots === 0 ? "" : aggregate.name;
  const { snapshot, batch, dropped } = await connection.ask<CoreLoaded>((core) =>
    core.load(streamId, name, snapshots, aggregate.snapshotEvery, atVersion, at, clock),
  );
  const base = snapshot ?? { state: initialState(aggregate), version: 0 };
  const events = recordedEvents(batch);
  const pending = events.findIndex(({ status }) => status === "pending");
  const settled = foldOn(aggregate, base, pending < 0 ? events : events.slice(0, pending));
  const end = pending < 0 ? settled : foldOn(aggregate, settled, events.slice(pending));
  return { snapshot, dropped, ...end, settled };
}

function foldOn(aggregate: AnyAggregate, { state, version }: Loaded<unknown>, events: readonly RecordedEvent[]) {
  const folded = foldRecorded(aggregate, deepFreeze(state), events);
  return { state: folded, version: events.at(-1)?.version ?? version };
}

/** What an aggregate written in Rust has: it loads and folds without its events coming here. */
export const loadsItself = Symbol("everfold.load");

export interface FoldsStreams {
  readonly [loadsItself]?: (
    core: Core,
    snapshots: number,
    streamId: string,
    atVersion: number,
    at: number,
    clock: Clock,
  ) => Promise<CoreFolded & { readonly state: unknown }>;
}

/** The JSON of states that it says more of than JavaScript can hold: those of Rust may have numbers beyond 2^53. */
const exactTexts = new WeakMap<object, string>();

/** The state that Rust wrote. */
export function stateOf(text: string): unknown {
  const state: unknown = JSON.parse(text);
  if (typeof state === "object" && state !== null && /\d{16}/.test(text)) {
    exactTexts.set(state, text);
  }
  return state;
}

/** A state as JSON. */
export function textOfState(state: unknown): string {
  return exactTexts.get(state as object) ?? JSON.stringify(state);
}

/** The state before the first event, frozen. */
export function initialState(aggregate: AnyAggregate): unknown {
  try {
    return deepFreeze(atOnce(aggregate.initialState()));
  } catch (cause) {
    throw evolveFailed(aggregate, cause, undefined);
  }
}

/** Folds events as they are stored: upcast first. The result is frozen. */
export function foldRecorded(aggregate: AnyAggregate, state: unknown, events: readonly RecordedEvent[]): unknown {
  let folded = state;
  for (const stored of events) {
    upcastEvent(aggregate, stored);
    folded = evolveOne(aggregate, folded, asWritten(stored), stored);
  }
  return deepFreeze(folded);
}

/** What `evolve` sees: what was written and nothing that only reading adds, so that it sees the same both times. */
function asWritten(full: CoreNewEvent | RecordedEvent): AnyEvent {
  const event: { type: string; data?: unknown; metadata?: unknown; occurredAt: number } = {
    type: full.type,
    occurredAt: full.occurredAt,
  };
  if (full.data !== undefined) {
    event.data = full.data;
  }
  if (full.metadata !== undefined) {
    event.metadata = full.metadata;
  }
  return event;
}

function evolveOne(aggregate: AnyAggregate, state: unknown, event: AnyEvent, place?: RecordedEvent): unknown {
  try {
    return atOnce(aggregate.evolve(state, event));
  } catch (cause) {
    // One in Rust says itself what is wrong, or that the engine stopped.
    throw isEverfoldError(cause, "evolve-failed") || isEverfoldError(cause, "wasm-failed")
      ? cause
      : evolveFailed(aggregate, cause, event, place);
  }
}

/** The state, unless it is a promise of one: `decide` would find no property of it, and break its rules. */
function atOnce(state: unknown): unknown {
  if (state instanceof Promise) {
    // Nobody else will look at how it ends.
    state.catch(() => undefined);
    throw new TypeError("it returned a promise");
  }
  return state;
}

function evolveFailed(
  aggregate: AnyAggregate,
  cause: unknown,
  event: AnyEvent | undefined,
  place?: RecordedEvent,
): EverfoldError<"evolve-failed"> {
  const where = event === undefined ? "initialState" : `evolve, at an event of type ${JSON.stringify(event.type)}`;
  const reason = cause instanceof Error ? cause.message : String(cause);
  const details =
    place === undefined ? { definition: aggregate.name } : { definition: aggregate.name, ...placeOf(place) };
  return new EverfoldError("evolve-failed", `${aggregate.name}: ${where}: ${reason}`, details, { cause });
}
