/// <reference lib="esnext.disposable" preserve="true" />
/**
 * The store itself.
 */
import type { AnyAggregate, EventOf, StateOf } from "../aggregate.js";
import type { AnyDecision } from "../decision.js";
import type { AnyEvent, RecordedEvent } from "../event.js";
import type { AnyProjection, IndexOf, RowOf } from "../projection.js";
import type { Abortable } from "./opening.js";
import type {
  CommitNotice,
  EventOfQuery,
  EventReader,
  FirstFound,
  Loaded,
  LoadOptions,
  ReadQuery,
  ReplayOptions,
  ReplayStep,
  StreamsOptions,
  SubscribeQuery,
} from "./reading.js";
import type { ProjectOptions, Rebuild, RebuildOptions } from "./rebuilding.js";
import type { Refusals } from "./refusals.js";
import type { SyncControl } from "./syncing.js";
import type { ImportReport, StoreStats, VerifyReport } from "./upkeep.js";
import type { Live, ProjectedView, ViewOf } from "./views.js";
import type {
  AppendOptions,
  AppendReceipt,
  CommandOf,
  CommitOptions,
  CommitOutcome,
  DecisionReceipt,
  ExecuteOptions,
  IngestBatch,
  IngestOptions,
  IngestProgress,
  MultiReceipt,
  Receipt,
  StreamAppend,
} from "./writing.js";

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
  /** Also answers after a reload, and of what other tabs have written. */
  outcome(commitId: string): Promise<CommitOutcome>;

  load<A extends As[number]>(aggregate: A, id: string, options?: LoadOptions): Promise<Loaded<StateOf<A>>>;
  /** Reads in constant memory; what is pending all at once, as a merge may move it. Nothing is read before the first `next()`. */
  read<const Q extends ReadQuery<As>>(query?: Q): EventReader<EventOfQuery<As, Q>>;
  /** Past, then live, other tabs' commits too, without a gap or a repeat. Returns what ends it. */
  subscribe<const Q extends SubscribeQuery<As>>(
    query: Q,
    listener: (notice: CommitNotice<EventOfQuery<As, Q>>) => void,
  ): () => void;
  /** Ids of an aggregate that have events, in the order of their bytes as UTF-8. */
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
  /**
   * All or nothing, in one transaction: a signal that comes once the file is read is too late. Into an empty store, or with
   * `merge` what is new by commit id.
   */
  import(
    file: Blob | BufferSource,
    options?: Abortable & { readonly merge?: boolean | undefined },
  ): Promise<ImportReport>;
  /** Finishes what was begun, then lets go. The last handle on a name closes its engine. */
  close(): Promise<void>;
}

/** Any store, whatever is registered in it. */
export type AnyStore = Store;
