/**
 * Events, as they are written and as they are read back.
 *
 * `data` is not held to a JSON type, because an `interface` would not satisfy one: it is checked at
 * run time, in `json.ts`.
 */

/** An event that says something by having happened; see {@link Event}. */
export interface EventWithoutData<T extends string> {
  readonly type: T;
  readonly data?: undefined;
  readonly metadata?: Readonly<Record<string, unknown>> | undefined;
  readonly occurredAt?: number | undefined;
}

/** An event with data; see {@link Event}. */
export interface EventWithData<T extends string, D> {
  readonly type: T;
  readonly data: D;
  readonly metadata?: Readonly<Record<string, unknown>> | undefined;
  readonly occurredAt?: number | undefined;
}

/**
 * A fact that happened: `Event<"money_deposited", { amount: number }>`, or `Event<"frozen">` when the
 * type says it all. `data: null` counts as none.
 *
 * `occurredAt` is in milliseconds since the epoch and defaults to now; an import gives the old date.
 * `data` and `metadata` must be JSON (no Date, Map, BigInt, NaN, class instance): anything else is
 * refused as `invalid-event`. Properties that are `undefined` are dropped and -0 becomes 0 before
 * `evolve` first sees them, so that what is folded now equals what is folded after a reload.
 */
export type Event<T extends string = string, D = undefined> = [unknown] extends [D]
  ? EventWithData<T, D>
  : [D] extends [null | undefined]
    ? EventWithoutData<T>
    : EventWithData<T, D>;

/** The widest event: what a definition's event union must fit. */
export interface AnyEvent {
  readonly type: string;
  readonly data?: unknown;
  readonly metadata?: unknown;
  readonly occurredAt?: number | undefined;
}

/** What the log adds to an event. */
export interface Recorded {
  /** The commit's id, its attempt and the place in the commit, joined: unique for ever. */
  readonly eventId: string;
  readonly streamId: string;
  /** 1, 2, 3… inside the stream, without gaps. Provisional while pending. */
  readonly version: number;
  /** Place in this log, across streams. Provisional while pending. */
  readonly position: number;
  /** When it happened, by the writer's word. */
  readonly occurredAt: number;
  /** When a device first wrote it. */
  readonly recordedAt: number;
  /** When the server took it; absent without sync. */
  readonly receivedAt?: number;
  readonly commitId: string;
  /** 1, and one more each time a merge decided the commit again. */
  readonly attempt: number;
  /** The device that wrote it. */
  readonly replicaId: string;
  readonly actor?: string;
  readonly causationId?: string;
  readonly correlationId?: string;
  /** Without sync every commit is confirmed at once. */
  readonly status: "pending" | "confirmed";
  /** The schema that `data` now has: upcasters have run. */
  readonly schemaVersion: number;
}

/** An event read from the log. A union of events stays a union, narrowed by `type`. */
export type RecordedEvent<E extends AnyEvent = Event<string, unknown>> = E & Recorded;

/** An event together with the stream that it belongs to, as `ingest` takes it. */
export type StreamEvent<E extends AnyEvent = AnyEvent> = E & { readonly streamId: string };

/** The members of a union of events that have the type `T`. */
export type EventOfType<E extends AnyEvent, T extends string> = E extends AnyEvent
  ? E["type"] extends T
    ? E
    : T extends E["type"]
      ? E & { readonly type: T }
      : never
  : never;
