/**
 * Folding the log again: rebuilds and projections as of another time.
 */
import type { Abortable } from "./opening.js";
import type { Clock } from "./reading.js";

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
   * The URL of a module that exports the projection and every aggregate whose events it folds, for the workers to import;
   * for a projection in Rust that of the glue that `engine` imports. It must be self-contained: import maps do not reach
   * workers.
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
