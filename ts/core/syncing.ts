/**
 * How a store stands to its space, and what the two tell each other.
 */
import type { CoreProgress } from "./writing.js";

/** How a store stands to the space that it is bound to. */
export interface CoreSyncState {
  readonly space: string;
  readonly subject: string;
  /** Where the next pull begins; null before the server was heard. */
  readonly cursor: string | null;
  /** The last commit that this store has of the space: the hash of the chain, and its number. */
  readonly hash: string;
  readonly number: number;
  readonly pending: number;
  /** `recordedAt` of the first pending commit. */
  readonly oldestPendingAt: number | null;
  readonly confirmed: number;
  /** Pending commits are to be decided again. */
  readonly rebase: boolean;
  /** The space is still taking over the history that was made without it. */
  readonly adopting: boolean;
}

/** What to bind a store to. */
export interface CoreBindOptions {
  readonly space: string;
  readonly subject: string;
  /** Of the capabilities; left out before the server was heard. */
  readonly cursor?: string;
  readonly adopt: "empty" | "rebase" | null;
}

/** What answers of the server led to. */
export interface CorePulled {
  readonly progress: CoreProgress;
  readonly pending: number;
  /** Pending commits are to be decided again. */
  readonly rebase: boolean;
  /** The server has more. */
  readonly more: boolean;
  /** A push ended before its end. */
  readonly stopped: boolean;
  /** Something was accepted, or is new here. */
  readonly moved: boolean;
  /** Pending commits that the server refused: they are among the refusals. */
  readonly refused: readonly string[];
}

/** What stores what the server says, and gives what it is to be told. */
export interface CoreSyncing {
  /** `CoreSyncState`, or null without sync. */
  syncState(): Promise<string>;
  /**
   * `CoreBindOptions` in, `CoreSyncState` out; again for the same space is fine, and needed with the cursor of the
   * capabilities, at first and after a break. `invalid-argument` for another space, `sync-diverged` when both have a
   * history and `adopt` does not say what becomes of the one here.
   */
  bindSync(options: string): Promise<string>;
  /** This instance leads from now on: what another one still writes by `pulled`, `rebaseNext`, `recover` rejects with "fenced". */
  lead(): Promise<void>;
  /** The body of a push and how many commits it has; null if there is nothing, or something is to be decided first. */
  pushBody(maxCommits: number, maxBytes: number): Promise<readonly [text: string, commits: number] | null>;
  /**
   * Stores the answer to a pull or a push: `CorePulled`. "sync-protocol", "sync-diverged": nothing is changed. What can be
   * done of it while an earlier one is stored is done at once; `turn` waits for a task of its own for the rest of a long one.
   */
  pulled(answer: Uint8Array, turn: () => Promise<void>): Promise<string>;
  /**
   * While `adopting`: the next part of the history that the space takes over, to be pushed. Null if there is none, or
   * before the server was heard.
   */
  adoptBody(maxCommits: number, maxBytes: number): Promise<readonly [text: string, commits: number] | null>;
  /** The answer to that push: `CoreSyncState`. "sync-diverged", with nothing changed: it has, or wants, something else. */
  adopted(answer: string): Promise<string>;
  /**
   * The problem document of `epoch-changed` and "ask", "auto" or "discard": takes the log back to where the epochs part.
   * `CoreProgress`; its positions may be lower than before. "sync-diverged", with nothing changed: they do not part in this log.
   */
  recover(problem: string, policy: string): Promise<string>;
}
