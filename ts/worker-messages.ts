/**
 * What a page and a worker that folds for it say to each other: one question at a time, one answer each.
 */
import type { CoreError } from "./core/error.js";
import type { CoreQuery } from "./core/reading.js";

/** What a worker folds. */
export interface FoldTask {
  readonly name: string;
  readonly durability: "strict" | "relaxed";
  /** Where the wasm comes from, as far as that can be sent; undefined: from where the glue of the module knows it to be. */
  readonly wasm: string | BufferSource | WebAssembly.Module | undefined;
  /** The module that exports the definitions, or is the engine that has them; undefined for a worker that has it. */
  readonly module: string | undefined;
  /** Whether the projection is written in Rust. */
  readonly inRust: boolean;
  /** With the names of its indexes: the rows of all workers are entered in the same ones. */
  readonly projection: { readonly name: string; readonly version: number; readonly indexes: string };
  readonly query: CoreQuery;
  /** Where rows that it has forgotten are. */
  readonly generation: number;
}

/** A question; the answers are in `FoldAnswers`. */
export type FoldQuestion =
  | { readonly ask: "begin"; readonly task: FoldTask }
  | { readonly ask: "advance"; readonly until: number }
  | { readonly ask: "parts" }
  | { readonly ask: "forget" };

/** Answers by question. */
export interface FoldAnswers {
  readonly begin: null;
  /** How many rows have changed. */
  readonly advance: number;
  /** The rows that changed since they were last forgotten, as `Core.stageRows` takes them, and their keys. */
  readonly parts: { readonly parts: string; readonly keys: readonly string[] };
  readonly forget: null;
}

/** What comes back. */
export type FoldReply = { readonly answer: FoldAnswers[keyof FoldAnswers] } | { readonly error: CoreError };
