/**
 * Deciding pending commits again: the core asks, one after the other, and is answered.
 */
import type { CoreBatch } from "./reading.js";
import type { CoreNewEvent, CoreProgress } from "./writing.js";

/** A pending commit to be decided again. */
export interface CoreDecide {
  /** The walk begins here: states and batches of a walk before count no more. */
  readonly begins: boolean;
  readonly commitId: string;
  /** The events of a fact stay whatever is decided; a refusal only tells that it breaks a rule. */
  readonly mode: "intent" | "fact";
  readonly definition?: { readonly name: string; readonly version: number };
  readonly command: unknown;
  /** Of its first event. */
  readonly occurredAt: number;
  /** What all its events have. */
  readonly metadata?: unknown;
  /**
   * The streams that it was decided on: the state of each is that at `confirmedVersion`, with all batches of the stream
   * that this walk has given folded on it.
   */
  readonly streams: readonly {
    readonly streamId: string;
    readonly confirmedVersion: number;
    readonly written: boolean;
    readonly batch: CoreBatch;
  }[];
}

/** How it was decided. */
export type CoreDecision =
  | {
      readonly events: readonly { readonly streamId: string; readonly events: readonly CoreNewEvent[] }[];
      readonly definition?: { readonly name: string; readonly version: number };
    }
  | {
      readonly refused: unknown;
      readonly stateSeen?: readonly { readonly streamId: string; readonly version: number; readonly state: unknown }[];
    }
  | { readonly blocked: { readonly code: string; readonly message: string } };

/** The end of a walk through what is pending. */
export interface CoreRebased {
  readonly done: {
    readonly progress: CoreProgress;
    readonly changed: readonly string[];
    readonly refused: readonly string[];
    /** Facts that break a rule. */
    readonly violated: readonly { readonly commitId: string; readonly reason: unknown }[];
    /** Commits that could not be decided: they and what stands on them wait for the next walk. */
    readonly blocked: readonly {
      readonly commitId: string;
      readonly error: { readonly code: string; readonly message: string };
    }[];
  };
}

/** What walks through pending commits. */
export interface CoreRebasing {
  /**
   * One step of the walk through what is pending: "" first, then the `CoreDecision` on the commit asked for last.
   * `CoreDecide`, or `CoreRebased` at the end. When the log changes meanwhile it begins again with the first commit.
   */
  rebaseNext(decision: string): Promise<string>;
}
