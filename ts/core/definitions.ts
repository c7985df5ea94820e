/**
 * Definitions in a module of the app's own, written in Rust.
 */
import type { Core } from "../core.js";
import type { CoreLoaded } from "./reading.js";

/** What a module of the app's own defines. */
export interface CoreDefinitionList {
  /** The version of the crate that it was built with. */
  readonly release: string;
  readonly aggregates: readonly { readonly name: string; readonly version: number; readonly snapshotEvery: number }[];
  readonly projections: readonly {
    readonly name: string;
    readonly version: number;
    /** Names of aggregates and event types that are wanted; empty: all. */
    readonly aggregates: readonly string[];
    readonly events: readonly string[];
    readonly indexes: readonly string[];
    readonly partition: "log" | "stream";
  }[];
}

/** What a decider in Rust said. */
export type CoreDecided = { readonly events: readonly unknown[] } | { readonly refused: unknown };

/** How far a stream was folded to a state of an aggregate in Rust. */
export type CoreFolded = Omit<CoreLoaded, "batch">;

/** How far a projection in Rust has come: "gone" if the stored rows are not there any more. */
export interface CoreAdvanced {
  readonly position: number;
  /** How many rows have changed and are not written. */
  readonly changed: number;
  readonly next: "more" | "done" | "gone";
}

/** Definitions written in Rust: the class that `everfold::module!` adds. Texts are JSON. Throws `CoreError`s. */
export interface CoreDefinitions {
  /** `CoreDefinitionList`. */
  describe(): string;
  initialState(aggregate: string): string;
  /** `CoreDecided`. */
  decide(aggregate: string, command: string, state: string): string;
  evolve(aggregate: string, state: string, event: string): string;
  /** The value of a row in an index, by the index's number: `IndexValue`, or null. */
  indexValue(projection: string, index: number, row: string): string;
  /** `CoreFolded`, and the state. Snapshots of `version` may serve, none if it is 0; the rest as `Core.load`. */
  load(
    core: Core,
    aggregate: string,
    version: number,
    streamId: string,
    atVersion: number,
    at: number,
    clock: string,
  ): Promise<readonly [folded: string, state: string]>;
  /** Folds the log of `core` into rows of `target`, from where they are stored. */
  fold(
    core: Core,
    target: Core,
    projection: string,
    generation: number,
    checkpoint: number,
    revision: number,
  ): CoreFolding;
}

/** One projection written in Rust on its way through the log. After an error its rows are worth nothing. */
export interface CoreFolding {
  /** `CoreQuery` in, `CoreAdvanced` out, after at most `budget` events. */
  advance(query: string, budget: number): Promise<string>;
  /** Keys of the rows that have changed and are not written, `string[]`. */
  changed(): string;
  /** Writes them, with where it stands as checkpoint. False as `Core.writeRows`. `failedAt` is NaN if it did not fail. */
  write(failedAt: number): Promise<boolean>;
  /** Those rows, as `Core.stageRows` takes them. */
  parts(): Promise<string>;
  /** They are where readers find them. */
  forget(): void;
  /** Lets go of its rows. */
  end(): void;
}
