/**
 * What is written, and what comes back.
 */
import type { Aggregate, AggregateRef, AnyAggregate, EventOf, StateOf } from "../aggregate.js";
import type { ExpectedVersion } from "../core/writing.js";
import type { AnyDecision, Decision, ReadsOf } from "../decision.js";
import type { AnyEverfoldError } from "../errors.js";
import type { AnyEvent, RecordedEvent, StreamEvent } from "../event.js";
import type { Abortable } from "./opening.js";

/** The commands that an aggregate or a decision takes. */
export type CommandOf<T> =
  T extends Aggregate<string, infer _S, infer C, infer _E>
    ? C
    : T extends Decision<string, infer C, infer _Rs>
      ? C
      : never;

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

/** A commit of an `ingest` that the store refuses: its id stands for other content or was refused before, or it is too large. */
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
