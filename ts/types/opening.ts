/**
 * What a store is opened with, and what it reports without a caller.
 */
import type { AnyAggregate } from "../aggregate.js";
import type { AnyDecision } from "../decision.js";
import type { AnyEverfoldError, EverfoldErrorCode } from "../errors.js";
import type { AnyProjection } from "../projection.js";
import type { RebuildStart } from "./rebuilding.js";
import type { SyncOptions } from "./syncing.js";

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
  /**
   * Where the engine comes from, if not from the files beside this module. The first file alone will do for a page that
   * has the others beside this module, and for an engine of one's own, which is one file.
   */
  readonly wasm?: WasmFile | WasmFiles | undefined;
  /** Keeps this store and those of other devices on one log, through a server. Without it nothing leaves the device. */
  readonly sync?: SyncOptions | undefined;
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

/** A wasm file: where it is, or what it holds. */
export type WasmFile = URL | Response | Promise<Response> | BufferSource | WebAssembly.Module;

/** The engine's files, by what of it they hold. The last two are loaded when they are first needed. */
export interface WasmFiles {
  /** `everfold.wasm`: what every store needs. */
  readonly core: WasmFile;
  /** `everfold-sync.wasm`: what a store with `sync` needs. */
  readonly sync: WasmFile;
  /** `everfold-tools.wasm`: import and export, `ingest`, `rebuild`, `verify`, `stats` and what else is seldom called. */
  readonly tools: WasmFile;
}
