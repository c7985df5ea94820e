/**
 * What was refused or changed, until somebody has seen it.
 */
import type { AnyEvent, RecordedEvent } from "../event.js";
import type { Live } from "./views.js";
import type { CommitReceipt, StreamOutcome } from "./writing.js";

/** A commit that a merge or the server refused, or changed. It is kept until it is dismissed. */
export interface Refusal {
  readonly commitId: string;
  /**
   * `"refused"`: it is not in the log. `"changed"`: it was decided anew and is in the log with other events.
   * `"orphaned"`: somebody else's, lost by the server.
   */
  readonly kind: "refused" | "changed" | "orphaned";
  readonly attempt: number;
  /** The events of a fact stay as they are whatever is decided, also when it is offered again. */
  readonly mode: "intent" | "fact";
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
  /**
   * Does it again as a new commit, with the metadata, the `correlationId` and the time that it was given, then dismisses
   * this. Rejects as `execute` does.
   */
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
