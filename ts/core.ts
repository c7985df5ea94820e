/**
 * What the wasm core offers, as TypeScript sees it.
 *
 * The core knows streams, versions, commits, segments, rows and storage; it knows no definition and
 * calls nothing of the user's. Everything long is text: one JSON document a call, because one
 * `JSON.parse` of a batch is several times cheaper than a call across the border for each event.
 *
 * Each part of it is in a file of `core/`, with the shapes that cross there.
 *
 * Every promise rejects with a `CoreError`, a plain object that `errors.ts` turns into an
 * `EverfoldError`. After a trap (a `WebAssembly.RuntimeError`) the instance is dead and its promises
 * never settle: see `wasm.ts`.
 */
import type { CoreReading, CoreStreams } from "./core/reading.js";
import type { CoreRebasing } from "./core/rebasing.js";
import type { CoreRefusals } from "./core/refusals.js";
import type { CoreReplica } from "./core/replica.js";
import type { CoreRebuilding, CoreRows } from "./core/rows.js";
import type { CoreSyncing } from "./core/syncing.js";
import type { CoreUpkeep } from "./core/upkeep.js";
import type { CoreBulk, CoreWriting } from "./core/writing.js";

/** Options of `Core.open`. */
export interface CoreOptions {
  readonly name: string;
  readonly storage: "indexeddb" | "memory";
  readonly durability: "strict" | "relaxed";
  /** A fresh random id, kept if the store has none yet; the stored one is in `CoreState.replicaId`. */
  readonly replicaId: string;
  /** Milliseconds since the epoch, written into a new store. */
  readonly now: number;
  /** From where to count merges: of a store that is opened again, above what was counted before. Default 0. */
  readonly merges?: number;
}

/** Where the log stands, as far as this instance knows. */
export interface CoreState {
  readonly replicaId: string;
  /** Position of the last event, 0 in an empty log. */
  readonly position: number;
  /** How many records the journal holds that are not sealed yet. */
  readonly journalRecords: number;
  /** Position of the last confirmed event. Without sync all are. */
  readonly confirmed: number;
  /** How many commits the server has not taken yet. */
  readonly pending: number;
  /** As in `CoreProgress`. */
  readonly merges: number;
}

/** What is seldom called, or long: a part of the core, loaded with the first call. */
export interface CoreTools extends CoreBulk, CoreStreams, CoreRebuilding, CoreUpkeep {}

/** What only a store with sync calls: another part. */
export interface CoreSync extends CoreReplica, CoreSyncing, CoreRebasing, CoreRefusals {}

/** The class of the wasm core. Texts are JSON of the types beside each method. */
export interface Core extends CoreWriting, CoreReading, CoreRows {
  /** Calls what is in `CoreTools`, by its name: each way from one side to the other is code of its own in every page. */
  tool<K extends keyof CoreTools>(name: K, args: Parameters<CoreTools[K]>): ReturnType<CoreTools[K]>;
  /** Calls what is in `CoreSync`. */
  sync<K extends keyof CoreSync>(name: K, args: Parameters<CoreSync[K]>): ReturnType<CoreSync[K]>;
  /** `CoreState`. */
  state(): string;
  /**
   * Resolves when the connection was closed from outside, never otherwise: "versionchange" (another
   * tab deletes or upgrades the database) or "lost" (the browser closed it, opening again may help).
   */
  closed(): Promise<string>;
  /** Of a store in memory: fails the `call`-th storage call from now ("quota", "unknown", "closed", "aborted", "blocked"). */
  failStorage(call: number, error: string): void;
  /** Of a store in memory: storage calls made so far. */
  storageCalls(): number;
  close(): Promise<void>;
  free(): void;
}
