/**
 * Reading states and events, past and live.
 */
import type { AnyAggregate, EventOf, StateOf } from "../aggregate.js";
import type { AnyEverfoldError } from "../errors.js";
import type { AnyEvent, Event, EventOfType, RecordedEvent } from "../event.js";
import type { JsonPatch } from "../json-patch.js";
import type { Abortable } from "./opening.js";

/** Which of an event's times is meant: `occurredAt`, the default, or `recordedAt`. */
export type Clock = "occurred" | "recorded";

/** Options of `load`. */
export interface LoadOptions extends Abortable {
  /** Only the stream's first so many events. */
  readonly atVersion?: number | undefined;
  /** Only events of this time or earlier, in log order. */
  readonly at?: number | undefined;
  readonly clock?: Clock | undefined;
  /** See what other tabs wrote first; else that may lag by up to 2 s. */
  readonly fresh?: boolean | undefined;
}

/** An aggregate's state, frozen, and its stream's version; 0 if nothing has happened. */
export interface Loaded<S> {
  readonly state: S;
  readonly version: number;
}

/** What to read. Bounds are inclusive but for `afterPosition`; everything is combined with "and". */
export interface ReadQuery<As extends readonly AnyAggregate[] = readonly AnyAggregate[]> extends Abortable {
  readonly streamId?: string | undefined;
  /** A registered aggregate, or its name. */
  readonly aggregate?: As[number] | As[number]["name"] | undefined;
  readonly streams?: readonly string[] | undefined;
  readonly types?: readonly string[] | undefined;
  readonly afterPosition?: number | undefined;
  readonly from?: number | undefined;
  readonly until?: number | undefined;
  readonly clock?: Clock | undefined;
  /** `"forward"` is the default. */
  readonly direction?: "forward" | "backward" | undefined;
  readonly limit?: number | undefined;
}

/**
 * The events that a query can find: those of its aggregate and types, or of all registered aggregates.
 * Events of streams that no registered aggregate owns are found too, and are not in this type.
 */
export type EventOfQuery<As extends readonly AnyAggregate[], Q> = Typed<
  Q extends { readonly aggregate: infer A extends AnyAggregate }
    ? EventOf<A>
    : Q extends { readonly aggregate: infer N extends string }
      ? EventOf<Extract<As[number], { readonly name: N }>>
      : [As[number]] extends [never]
        ? Event<string, unknown>
        : EventOf<As[number]>,
  Q extends { readonly types: readonly (infer T extends string)[] } ? T : string
>;

type Typed<E extends AnyEvent, T extends string> = string extends T
  ? E
  : [EventOfType<E, T>] extends [never]
    ? Event<T, unknown>
    : EventOfType<E, T>;

/** Events one by one, or by the array for speed. The end is fixed at the first `next()`. */
export interface EventReader<E extends AnyEvent> extends AsyncIterable<RecordedEvent<E>> {
  batches(): AsyncIterable<readonly RecordedEvent<E>[]>;
}

/** What to hear of. Without `afterPosition` it starts now. */
export interface SubscribeQuery<As extends readonly AnyAggregate[] = readonly AnyAggregate[]> {
  readonly afterPosition?: number | undefined;
  readonly aggregate?: As[number] | As[number]["name"] | undefined;
  readonly types?: readonly string[] | undefined;
}

/**
 * Commits that were appended, or whose status changed: `"confirmed"` by the server, `"rebased"` with other events or in
 * another place, `"refused"` and not in the log any more. Past ones come as `"appended"`.
 */
export interface CommitNotice<E extends AnyEvent = AnyEvent> {
  readonly kind: "appended" | "confirmed" | "rebased" | "refused";
  readonly commits: readonly NotedCommit<E>[];
}

/** A commit in a notice, with those of its events that were asked for. */
export interface NotedCommit<E extends AnyEvent = AnyEvent> {
  readonly commitId: string;
  readonly attempt: number;
  readonly events: readonly RecordedEvent<E>[];
}

/** Options of `streams`. */
export interface StreamsOptions extends Abortable {
  /** The last id of the page before. */
  readonly after?: string | undefined;
  readonly limit?: number | undefined;
}

/** Options of `replay` and `findFirst`: which part of the stream to go through. */
export interface ReplayOptions extends Abortable {
  /** The first event to look at, 1 if left out. The state before it is loaded, from a snapshot where one serves. */
  readonly fromVersion?: number | undefined;
  /** The last event to look at. */
  readonly atVersion?: number | undefined;
}

/** One event of a replay and what it did. */
export interface ReplayStep<A extends AnyAggregate = AnyAggregate> {
  /** Upcast, as `evolve` saw it. */
  readonly event: RecordedEvent<EventOf<A>>;
  /** The state after it, frozen. */
  readonly state: StateOf<A>;
  /** What leads from the state before it to `state`; empty if the event changed nothing. */
  readonly patch: JsonPatch;
}

/**
 * Where `findFirst` stopped: `"found"`, the predicate holds after this event, or `"failed"`, the
 * event cannot be folded: `evolve-failed`, or `upcast-failed` or `app-outdated` for its stored shape.
 */
export type FirstFound<A extends AnyAggregate = AnyAggregate> =
  | (ReplayStep<A> & {
      readonly status: "found";
      readonly stateBefore: StateOf<A>;
      readonly error?: undefined;
    })
  | {
      readonly status: "failed";
      readonly event: RecordedEvent<EventOf<A>>;
      readonly stateBefore: StateOf<A>;
      readonly error: AnyEverfoldError;
      readonly state?: undefined;
      readonly patch?: undefined;
    };
