/// <reference lib="esnext.disposable" preserve="true" />
/**
 * The store as its users see it: options, queries, receipts, views.
 *
 * Types only. What a registered definition says about its commands, events and rows is carried by the
 * three lists of `Store<As, Ds, Ps>`, so that using a definition that is not registered does not compile.
 */
import type { Aggregate, AggregateRef, AnyAggregate, EventOf, StateOf } from "./aggregate.js";
import type { ExpectedVersion, IndexValue } from "./core.js";
import type { AnyDecision, Decision, ReadsOf } from "./decision.js";
import type { AnyEverfoldError, EverfoldErrorCode } from "./errors.js";
import type { AnyEvent, Event, EventOfType, RecordedEvent, StreamEvent } from "./event.js";
import type { JsonPatch } from "./json-patch.js";
import type { AnyProjection, IndexOf, RowOf } from "./projection.js";

export type { ExpectedVersion, IndexValue } from "./core.js";

/** The commands that an aggregate or a decision takes. */
export type CommandOf<T> =
  T extends Aggregate<string, infer _S, infer C, infer _E>
    ? C
    : T extends Decision<string, infer C, infer _Rs>
      ? C
      : never;

// ---------------------------------------------------------------------------------------------- opening

/** The glue of an engine of one's own, as wasm-pack and wasm-bindgen write it for the web. */
export interface EngineModule {
  // biome-ignore lint/suspicious/noExplicitAny: what wasm-bindgen writes differs from release to release
  readonly default: (...input: any[]) => Promise<unknown>;
  readonly Core: object;
  readonly Definitions: object;
}

/** How `openStore` opens a store. */
export interface StorageOptions {
  /** Names the database; two stores of one name in a page share one engine. */
  readonly name: string;
  /** `"indexeddb"` is the default everywhere. `"memory"` forgets everything at `close`, and is never fallen back to. */
  readonly storage?: "indexeddb" | "memory" | undefined;
  /** `"strict"`, the default, survives a power cut; `"relaxed"` only a killed browser, and is faster. */
  readonly durability?: "strict" | "relaxed" | undefined;
  /** Hears every failure that has no caller. By default the first of each code goes to `console.warn`. */
  readonly onProblem?: ((problem: Problem) => void) | undefined;
  /**
   * Called, and waited for, before rows are built anew, by `rebuild` or by a raised version: for what the app keeps
   * elsewhere. Not when a rebuild is taken up again. If it throws, the rebuild fails with nothing changed.
   */
  readonly onRebuildStart?: ((start: RebuildStart) => void | Promise<void>) | undefined;
  /**
   * An engine of one's own, with definitions written in Rust, in place of the published one: what
   * `everfold::module!` made, `() => import("./pkg")`. Imported when a store is opened with it.
   */
  readonly engine?: (() => Promise<EngineModule>) | undefined;
  /** Where the engine comes from, if not from the file beside this module. */
  readonly wasm?: URL | Response | Promise<Response> | BufferSource | WebAssembly.Module | undefined;
  /** Keeps this store and those of other devices on one log, through a server. Without it nothing leaves the device. */
  readonly sync?: SyncOptions | undefined;
}

/**
 * With which server a store is kept in sync, and as whom.
 *
 * ```ts
 * const store = await openStore({
 *   name: "ledger",
 *   aggregates: [account],
 *   sync: { url: "https://sync.example.com", space: "acme", subject: "ann", token: () => signIn() },
 * });
 * const receipt = await store.execute(account, "1", deposit(5)); // on this device: at once, offline too
 * const { changed } = await receipt.confirmed(); // the server has it
 * ```
 */
export interface SyncOptions {
  /** Address of the server; below it are `/v1/spaces/…`. */
  readonly url: string | URL;
  /** The log that is shared: 1 to 128 of `A-Z a-z 0-9 . _ -`. A store belongs to one space for ever. */
  readonly space: string;
  /** Who works here. What is pending is pushed with a token of whom wrote it, never of another. */
  readonly subject: string;
  /**
   * Gives the token that the server asks for; asked again, with `refresh`, when the server did not take the last one.
   * If it throws, sync pauses and keeps everything.
   */
  readonly token: (why: { readonly refresh: boolean; readonly signal: AbortSignal }) => string | Promise<string>;
  /** Whether to hear of others' commits as they come. True if left out; else when something is pushed, and by `now`. */
  readonly live?: boolean | undefined;
  /** Commits in one push, 500 if left out. */
  readonly batchSize?: number | undefined;
  /**
   * What becomes of a history that was made before there was sync: `"empty"` uploads it into a space that has none;
   * `"rebase"` puts it, as facts, on top of what the space has. Without it, a history on both sides is `sync-diverged`.
   */
  readonly adopt?: "empty" | "rebase" | undefined;
  /**
   * What becomes of others' commits that a restored server has lost: `"ask"`, the default, keeps them as refusals of kind
   * `orphaned`, `"auto"` offers them to the server again, `"discard"` keeps none.
   */
  readonly recover?: "auto" | "ask" | "discard" | undefined;
  /**
   * Called, in the tab that leads, with what was refused in a merge or by the server: to execute a compensating
   * command. Called for each refusal until it has resolved once: if the tab is closed before, or it throws, which goes to
   * `onProblem`, it is called again when a tab begins to lead. So give the command an id made of `refusal.commitId`: then
   * it takes effect once. The refusal stays in `store.refusals` until it is dismissed.
   */
  readonly onRefused?: ((refusal: Refusal, store: AnyStore) => void | Promise<void>) | undefined;
}

/** Everything that `openStore` takes. */
export interface StoreOptions<
  As extends readonly AnyAggregate[] = readonly AnyAggregate[],
  Ds extends readonly AnyDecision[] = readonly AnyDecision[],
  Ps extends readonly AnyProjection[] = readonly AnyProjection[],
> extends StorageOptions {
  readonly aggregates?: readonly [...As] | undefined;
  readonly decisions?: readonly [...Ds] | undefined;
  readonly projections?: readonly [...Ps] | undefined;
  /** Reactors come in a later release. */
  readonly reactors?: readonly [] | undefined;
}

/** A failure that no caller waits for. */
export interface Problem {
  readonly code:
    | EverfoldErrorCode
    | "quota-low"
    | "persistence-refused"
    | "state-not-json"
    /** A fact breaks a rule on the state that a merge gave it. */
    | "rule-violated"
    /** Work waits for the server since more than a day. */
    | "pending-old";
  readonly message: string;
  readonly details: Readonly<Record<string, unknown>>;
  /** The error itself, where there is one. */
  readonly error?: AnyEverfoldError;
}

/** Ends a long call; it then rejects with `aborted`. */
export interface Abortable {
  readonly signal?: AbortSignal | undefined;
}

// ---------------------------------------------------------------------------------------------- writing

/** Options of everything that commits. */
export interface CommitOptions {
  /**
   * Names the commit for ever: the same id with the same content is the same commit and returns the
   * first receipt, with other content it is `commit-id-reused`. A random id if left out.
   */
  readonly commitId?: string | undefined;
  /** For each event that has none of its own; now if left out. */
  readonly occurredAt?: number | undefined;
  /** Put under each event's own metadata. */
  readonly metadata?: Readonly<Record<string, unknown>> | undefined;
  readonly causationId?: string | undefined;
  readonly correlationId?: string | undefined;
}

/** Options of `append`. */
export interface AppendOptions extends CommitOptions {
  /** `"any"` if left out. */
  readonly expectedVersion?: ExpectedVersion | undefined;
}

/** Options of `execute`. */
export interface ExecuteOptions extends CommitOptions {
  /** With it a lost race is `conflict`; without it the command is decided again on the new state. */
  readonly expectedVersion?: ExpectedVersion | undefined;
  /** What a merge does with it: decide again (`"intent"`, the default) or keep the events (`"fact"`). */
  readonly mode?: "intent" | "fact" | undefined;
}

/** Events for one stream of a commit. */
export interface StreamAppend {
  readonly streamId: string;
  readonly events: readonly AnyEvent[];
  readonly expectedVersion?: ExpectedVersion | undefined;
}

/** What every commit returns, once its transaction has completed. */
export interface CommitReceipt<E extends AnyEvent = AnyEvent> {
  readonly commitId: string;
  /** Empty if nothing was to be done. */
  readonly events: readonly RecordedEvent<E>[];
  /** Position of the last event, or of the log if nothing was written: a `checkpoint` this high includes the commit. */
  readonly position: number;
}

/** The receipt of `append`. */
export interface AppendReceipt<E extends AnyEvent = AnyEvent>
  extends CommitReceipt<E>,
    Confirmable<CommitReceipt<E> & { readonly version: number }> {
  readonly streamId: string;
  /** The stream's version after it. */
  readonly version: number;
}

/** The receipt of `execute` on an aggregate. */
export interface Receipt<A extends AnyAggregate = AnyAggregate>
  extends CommitReceipt<EventOf<A>>,
    Confirmable<CommitReceipt<EventOf<A>> & { readonly state: StateOf<A>; readonly version: number }> {
  readonly streamId: string;
  /** The aggregate's version after it. */
  readonly version: number;
  /** The state after it, frozen. */
  readonly state: StateOf<A>;
}

/** What a decision left of one aggregate that it read. */
export interface StreamOutcome<S = unknown> {
  readonly streamId: string;
  readonly version: number;
  readonly state: S;
}

/** One outcome for each aggregate read, in the order of `reads`. */
export type OutcomesOf<Rs extends readonly AggregateRef[]> = {
  readonly [I in keyof Rs]: Rs[I] extends AggregateRef<infer A> ? StreamOutcome<StateOf<A>> : never;
};

/** The receipt of `execute` on a decision. */
export interface DecisionReceipt<D extends AnyDecision = AnyDecision>
  extends CommitReceipt<EventOf<ReadsOf<D>[number]["aggregate"]>>,
    Confirmable<
      CommitReceipt<EventOf<ReadsOf<D>[number]["aggregate"]>> & {
        readonly streams: OutcomesOf<ReadsOf<D>>;
      }
    > {
  readonly streams: OutcomesOf<ReadsOf<D>>;
}

/** The receipt of `commit`. */
export interface MultiReceipt
  extends CommitReceipt,
    Confirmable<
      CommitReceipt & {
        readonly streams: readonly { readonly streamId: string; readonly version: number }[];
      }
    > {
  /** In the order given. */
  readonly streams: readonly { readonly streamId: string; readonly version: number }[];
}

/** A commit whose confirmation can be waited for. */
export interface Confirmable<T> {
  /**
   * Resolves when the server took the commit, at once without sync. `changed` says that a merge
   * decided it anew. Rejects with `refused`, `aborted` or `store-closed`.
   */
  confirmed(options?: Abortable): Promise<T & { readonly changed: boolean }>;
}

/** What became of a commit. */
export type CommitOutcome = "pending" | "confirmed" | "changed" | "refused" | "unknown";

/** What `ingest` takes: each batch is one commit; a bare array that is too large for one is cut. */
export type IngestBatch =
  | { readonly commitId: string; readonly events: readonly StreamEvent[] }
  | readonly StreamEvent[];

/** How far an `ingest` is. All of it is on disk. */
export interface IngestProgress {
  readonly events: number;
  readonly commits: number;
  /** Commits, and events in them, that the log already held by their id. */
  readonly knownEvents: number;
  readonly knownCommits: number;
  /** Position of the last event. */
  readonly position: number;
}

/** A commit of an `ingest` that the store refuses: its id stands for other content, or it is too large. */
export interface IngestRefusal {
  readonly commitId: string;
  readonly error: AnyEverfoldError;
}

/** Options of `ingest`. */
export interface IngestOptions extends Abortable {
  /** Hears of commits that are refused; the rest is written. Without it, `ingest` ends before the first one and rejects. */
  readonly onRefused?: ((refusal: IngestRefusal) => void) | undefined;
  /** Called after each group of batches is on disk: that is the acknowledgement. */
  readonly onProgress?: ((progress: IngestProgress) => void) | undefined;
}

// ---------------------------------------------------------------------------------------------- reading

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

// ---------------------------------------------------------------------------------------------- views

/** One row and its key. */
export interface Entry<Row> {
  readonly key: string;
  readonly row: Row;
}

/** Which rows to list, in the order of index value then key, or of keys alone. Bounds are on what orders. */
export interface ListQuery<Row = unknown, I extends string = string> {
  readonly index?: I | undefined;
  readonly gte?: IndexValue | undefined;
  readonly gt?: IndexValue | undefined;
  readonly lte?: IndexValue | undefined;
  readonly lt?: IndexValue | undefined;
  /** Only values that begin with this text. */
  readonly prefix?: string | undefined;
  readonly reverse?: boolean | undefined;
  /** All of them if left out. */
  readonly limit?: number | undefined;
  /** The last entry of the page before. */
  readonly after?: Entry<Row> | undefined;
}

/** The readable rows of one projection. Reads see this tab's own finished writes. */
export interface View<Row = unknown, I extends string = string> {
  get(key: string): Promise<Row | undefined>;
  /** In the order of `keys`. */
  getMany(keys: readonly string[]): Promise<readonly (Row | undefined)[]>;
  count(): Promise<number>;
  list(query?: ListQuery<Row, I>): Promise<readonly Entry<Row>[]>;
  /** Position up to which the rows are folded. */
  checkpoint(): number;
  watch(key: string): Live<Row | undefined>;
  watch(query: ListQuery<Row, I>): Live<readonly Entry<Row>[]>;
}

/** A view as of another time, held in memory until it is disposed of. */
export interface ProjectedView<Row = unknown, I extends string = string>
  extends Omit<View<Row, I>, "watch">,
    Disposable {
  dispose(): void;
}

/** The view of a projection. */
export type ViewOf<P extends AnyProjection> = View<RowOf<P>, IndexOf<P>>;

/** A result that is kept up to date while somebody subscribes. */
export interface Live<T> extends Disposable {
  /** The same reference until it changes. */
  readonly current: LiveState<T>;
  /** Called once a batch of commits, only if this result changed. Returns what ends it. */
  subscribe(listener: (state: LiveState<T>) => void): () => void;
  /** Ends every subscription; as `[Symbol.dispose]`, which older browsers lack. */
  dispose(): void;
}

/** Where a live result stands. */
export type LiveState<T> =
  | { readonly status: "loading"; readonly value?: undefined; readonly error?: undefined }
  | { readonly status: "ready"; readonly value: T; readonly error?: undefined }
  | { readonly status: "failed"; readonly error: AnyEverfoldError; readonly value?: undefined };

/** Folding events, writing rows where they are read, making them the live ones. */
export type RebuildPhase = "folding" | "writing" | "switching";

/** How far a rebuild is. */
export interface RebuildProgress {
  /** Position up to which the log is folded. */
  readonly processed: number;
  /** Where the log ended when it began. */
  readonly total: number;
  readonly phase: RebuildPhase;
  /** Positions passed in a second, pauses excluded; 0 before the first. */
  readonly eventsPerSecond: number;
  /** At this rate, until everything is folded; null while nobody can tell. */
  readonly remainingMs: number | null;
}

/** Options of every call that folds the log. */
export interface FoldOptions extends Abortable {
  readonly onProgress?: ((progress: RebuildProgress) => void) | undefined;
}

/** Options of `rebuild`. */
export interface RebuildOptions extends FoldOptions {
  /**
   * Only the rows of these streams, of a projection declared `partition: "stream"`: they replace the old ones in one
   * transaction.
   */
  readonly streams?: readonly string[] | undefined;
  /**
   * Fold in so many dedicated workers (1 to 64), each a range of the streams, of a projection declared `partition:
   * "stream"`: worth it from two cores and some 100,000 events. Needs `module` or `createWorker`, and IndexedDB. A key
   * that turns up in two partitions is `rebuild-failed`. Left out, the calling thread folds.
   */
  readonly workers?: number | undefined;
  /**
   * The URL of a module that exports the projection and the aggregates that it is from, for the workers to import; for a
   * projection in Rust that of the glue that `engine` imports. It must be self-contained: import maps do not reach workers.
   */
  readonly module?: URL | string | undefined;
  /** Makes a worker that calls `serveRebuild` of `everfold/worker`, where bundlers do not take the package's own. */
  readonly createWorker?: (() => Worker) | undefined;
}

/** A rebuild under way. A paused one holds neither the page nor the log up; it ends by its signal as any other. */
export interface Rebuild extends Promise<void> {
  /** Stops after the piece of work at hand, until `resume`. */
  pause(): void;
  resume(): void;
}

/** What `onRebuildStart` hears. */
export interface RebuildStart {
  /** The name of the projection. */
  readonly projection: string;
  readonly version: number;
  /** Set when only these are rebuilt. */
  readonly streams?: readonly string[];
}

/** Options of `project`: which events to fold. */
export interface ProjectOptions extends FoldOptions {
  readonly from?: number | undefined;
  readonly until?: number | undefined;
  readonly clock?: Clock | undefined;
  readonly streams?: readonly string[] | undefined;
  readonly types?: readonly string[] | undefined;
}

// ---------------------------------------------------------------------------------------------- upkeep

/** What `stats` tells. */
export interface StoreStats {
  readonly events: number;
  readonly streams: number;
  readonly segments: number;
  /** Of the log as stored. */
  readonly bytes: number;
  readonly snapshots: number;
  /** Names of aggregates whose states are not JSON, so that they have no snapshots. */
  readonly withoutSnapshots: readonly string[];
  readonly projections: readonly ProjectionStats[];
  /** Commits that the server has not confirmed. */
  readonly pending: number;
  /** What the browser says of the whole origin; null where it does not tell. */
  readonly quota: { readonly usage: number; readonly quota: number } | null;
  readonly persisted: boolean;
}

/** Where one projection stands. */
export interface ProjectionStats {
  readonly name: string;
  readonly version: number;
  readonly checkpoint: number;
  /** Events between the checkpoint and the end of the log. */
  readonly lag: number;
  /** Why it stopped; null while it runs. */
  readonly failed: AnyEverfoldError | null;
}

/** What `verify` found. */
export interface VerifyReport {
  readonly ok: boolean;
  readonly problems: readonly { readonly record: string; readonly message: string }[];
}

/** What `import` wrote. */
export interface ImportReport {
  readonly events: number;
  readonly commits: number;
}

/** Where sync stands. */
export interface SyncStatus {
  /** `"off"` in a store without sync. */
  readonly state: "off" | "connecting" | "idle" | "pushing" | "pulling" | "offline" | "blocked";
  /** Commits that the server has not confirmed. */
  readonly pending: number;
  /** How long the first of them has waited. */
  readonly oldestPendingMs: number | null;
  /** When the server last answered. */
  readonly lastContact: number | null;
  /** What has to be done before it goes on; null while it goes on by itself. */
  readonly blockedBy: AnyEverfoldError | null;
  readonly confirmedPosition: number;
  /** Confirmed commits of the space that are here, in the server's count. */
  readonly commits: number;
  /** Of the log up to there: who has the same at the same count has the same log. Null before the first contact. */
  readonly hash: string | null;
  /** What went wrong last, since the last success. */
  readonly lastError: AnyEverfoldError | null;
  /** Whether this tab is the one that talks to the server. */
  readonly leader: boolean;
  /** How far a long push or pull is, in commits; null when there is none. `total` is null as long as nobody knows. */
  readonly progress: { readonly done: number; readonly total: number | null } | null;
}

/** Sync under the app's control. It runs by itself; nothing here has to be called. */
export interface SyncControl {
  status(): SyncStatus;
  /** Called when the status changes. Returns what ends it. */
  subscribe(listener: (status: SyncStatus) => void): () => void;
  watch(): Live<SyncStatus>;
  /**
   * Pushes and pulls at once, in whichever tab leads. Resolves when both sides have the same. Where the server asked to
   * wait (`Retry-After`) it waits for as long; `status().lastError` says so. Rejects with what stands in the way: what
   * `status().blockedBy` says, the error of a request that failed, or `sync-unavailable` (details: reason) if there is no
   * network or sync is paused. What can be sent beside commits that cannot be decided is sent before it rejects.
   */
  now(options?: Abortable): Promise<void>;
  /** Leaves the server alone, in all tabs, until `resume` or until they are closed. */
  pause(): void;
  resume(): void;
}

/** A commit that a merge or the server refused, or changed. It is kept until it is dismissed. */
export interface Refusal {
  readonly commitId: string;
  /**
   * `"refused"`: it is not in the log. `"changed"`: it was decided anew and is in the log with other events.
   * `"orphaned"`: somebody else's, lost by the server.
   */
  readonly kind: "refused" | "changed" | "orphaned";
  readonly attempt: number;
  readonly recordedAt: number;
  /** What was asked for; absent if events were appended without a command. */
  readonly command?: unknown;
  readonly definition?: { readonly name: string; readonly version: number };
  /** Why: the code of what `decide` or the server said, its text, and what it threw if that is JSON. */
  readonly reason: RefusalReason | null;
  /** What it was decided on the last time. */
  readonly stateSeen: readonly StreamOutcome[];
  /** The events as they were before, or as they were lost. They have no position. */
  readonly events: readonly RecordedEvent<AnyEvent>[];
  /** Of a changed commit: the events as they are now. */
  readonly eventsNow?: readonly RecordedEvent<AnyEvent>[];
  /** Does it again as a new commit, then dismisses this. Rejects as `execute` does. */
  retry(): Promise<CommitReceipt>;
  /** It has been seen. */
  dismiss(): Promise<void>;
}

export interface RefusalReason {
  readonly code: string;
  readonly message: string;
  readonly details?: Readonly<Record<string, unknown>>;
  readonly cause?: unknown;
}

/** What was refused or changed, oldest first. */
export interface Refusals {
  list(): Promise<readonly Refusal[]>;
  watch(): Live<readonly Refusal[]>;
  /** As `Refusal.retry`. Rejects with `invalid-argument` if there is no such refusal. */
  retry(commitId: string): Promise<CommitReceipt>;
  dismiss(commitId: string): Promise<void>;
}

// ---------------------------------------------------------------------------------------------- the store

/** An open store. Every call on a closed one rejects with `store-closed`. */
export interface Store<
  As extends readonly AnyAggregate[] = readonly AnyAggregate[],
  Ds extends readonly AnyDecision[] = readonly AnyDecision[],
  Ps extends readonly AnyProjection[] = readonly AnyProjection[],
> extends AsyncDisposable {
  readonly name: string;

  /** Runs a command: load, decide, append. Resolves once the transaction has completed, never earlier. */
  execute<A extends As[number]>(
    aggregate: A,
    id: string,
    command: CommandOf<A>,
    options?: ExecuteOptions,
  ): Promise<Receipt<A>>;
  execute<D extends Ds[number]>(
    decision: D,
    command: CommandOf<D>,
    options?: Omit<ExecuteOptions, "expectedVersion">,
  ): Promise<DecisionReceipt<D>>;
  /** Writes events without asking a rule: a fact. */
  append(streamId: string, events: readonly AnyEvent[], options?: AppendOptions): Promise<AppendReceipt>;
  /** Writes to several streams, all or nothing. */
  commit(streams: readonly StreamAppend[], options?: CommitOptions): Promise<MultiReceipt>;
  /** Writes facts in bulk. After an abort or a failure what was acknowledged is there, nothing else. */
  ingest(batches: Iterable<IngestBatch> | AsyncIterable<IngestBatch>, options?: IngestOptions): Promise<IngestProgress>;
  /** Also answers after a reload. */
  outcome(commitId: string): Promise<CommitOutcome>;

  load<A extends As[number]>(aggregate: A, id: string, options?: LoadOptions): Promise<Loaded<StateOf<A>>>;
  /** Reads in constant memory. Nothing is read before the first `next()`. */
  read<const Q extends ReadQuery<As>>(query?: Q): EventReader<EventOfQuery<As, Q>>;
  /** Past, then live, other tabs' commits too, without a gap or a repeat. Returns what ends it. */
  subscribe<const Q extends SubscribeQuery<As>>(
    query: Q,
    listener: (notice: CommitNotice<EventOfQuery<As, Q>>) => void,
  ): () => void;
  /** Ids of an aggregate that have events, in the order of their code units. */
  streams(aggregate: As[number], options?: StreamsOptions): AsyncIterable<string>;
  watch<A extends As[number]>(aggregate: A, id: string): Live<Loaded<StateOf<A>>>;
  /**
   * Folds a stream again, event by event, up to its end at the first `next()`. One page of it is in
   * memory. Ends with `evolve-failed`, which names the event, where `evolve` throws.
   */
  replay<A extends As[number]>(aggregate: A, id: string, options?: ReplayOptions): AsyncIterable<ReplayStep<A>>;
  /**
   * The first event after which `predicate` holds, or that cannot be folded; undefined if there is
   * none. Looks at one event after the other, so `predicate` may hold now and then, and at none after
   * the one that it stops at.
   */
  findFirst<A extends As[number]>(
    aggregate: A,
    id: string,
    predicate: (state: StateOf<A>, event: RecordedEvent<EventOf<A>>) => boolean,
    options?: ReplayOptions,
  ): Promise<FirstFound<A> | undefined>;

  view<P extends Ps[number]>(projection: P): ViewOf<P>;
  /**
   * Builds the rows anew beside the live ones, then switches at once. One that a reload or a crash ended is taken up
   * where it stopped; one that its signal or a failure ended leaves nothing behind.
   */
  rebuild(projection: Ps[number], options?: RebuildOptions): Rebuild;
  /** Folds some of the events into a view of its own; the live one is untouched. */
  project<P extends Ps[number]>(projection: P, options?: ProjectOptions): Promise<ProjectedView<RowOf<P>, IndexOf<P>>>;

  readonly sync: SyncControl;
  readonly refusals: Refusals;

  stats(): Promise<StoreStats>;
  /** Asks the browser never to evict this origin; false if it refuses or does not answer in time. */
  persist(): Promise<boolean>;
  /**
   * Merges small segments now, as idle time does by and by: space comes back and streams are found in fewer places. What
   * is read stays as it was, in other tabs too.
   */
  compact(options?: Abortable): Promise<void>;
  /** Checks every record. */
  verify(options?: Abortable): Promise<VerifyReport>;
  /** The log as one file: nothing that can be derived from it. */
  export(options?: Abortable): Promise<Blob>;
  /** All or nothing. Into an empty store, or with `merge` what is new by commit id. */
  import(
    file: Blob | BufferSource,
    options?: Abortable & { readonly merge?: boolean | undefined },
  ): Promise<ImportReport>;
  /** Finishes what was begun, then lets go. The last handle on a name closes its engine. */
  close(): Promise<void>;
}

/** Any store, whatever is registered in it. */
export type AnyStore = Store;
