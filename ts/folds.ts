/**
 * Who folds a projection: its functions here, or the engine if they are written in Rust.
 *
 * Three kinds of folds, each driven by who knows where the rows end up: live ones go on from stored rows
 * (`projector.ts`), builds make all anew (`build.ts`), and some rows stay in memory (`project.ts`).
 */
import type { CoreQuery } from "./core/reading.js";
import type { Engine } from "./engine.js";
import type { LiveFold } from "./live-fold.js";
import type { KeyedFold, LogFold } from "./log-fold.js";
import type { AnyProjection } from "./projection.js";
import type { KnownRow } from "./row-fold.js";
import type { RowReader } from "./row-table.js";

/** Where a build goes on: rows of a generation that nobody reads yet. */
export interface BuildSource {
  readonly generation: number;
  /** Begins after `afterPosition`, where the generation's rows stand. */
  readonly query: CoreQuery;
  readonly signal: AbortSignal | undefined;
  /** Finds rows of the generation. */
  readonly rows: Pick<RowReader, "rows">;
}

/** A row in memory. */
export interface FoldedRow extends Pick<KnownRow, "key" | "row"> {
  /** Its JSON, where that may say more than JavaScript can hold. */
  readonly text?: string;
}

/** Rows that stay in memory. */
export interface MemoryFold extends Pick<LogFold, "position" | "advance"> {
  /** What has been folded so far. */
  readonly rows: RowReader;
  /** Every row that some event was about, deleted ones as undefined. */
  all(): Promise<readonly FoldedRow[]>;
  /** The rows are not needed any more. */
  end(): void;
}

/** See the module. */
export interface Folds {
  live(engine: Engine, projection: AnyProjection): LiveFold;
  build(engine: Engine, projection: AnyProjection, source: BuildSource): KeyedFold;
  inMemory(engine: Engine, projection: AnyProjection, query: CoreQuery, signal: AbortSignal | undefined): MemoryFold;
}

/** What a projection has that does not fold by its own functions. */
export const ownFolds = Symbol("everfold.folds");

/** The folds of a projection that does not fold by its own functions. */
export function ownFoldsOf(projection: AnyProjection): Folds | undefined {
  return (projection as { readonly [ownFolds]?: Folds })[ownFolds];
}
