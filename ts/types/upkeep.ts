/**
 * What a store tells of itself.
 */
import type { AnyEverfoldError } from "../errors.js";

/** What `stats` tells. */
export interface StoreStats {
  readonly events: number;
  readonly streams: number;
  readonly segments: number;
  /** Of the log as stored. */
  readonly bytes: number;
  readonly snapshots: number;
  /** Names of aggregates whose states are not JSON, so that they have no snapshots. */
  readonly withoutSnapshots: readonly string[];
  readonly projections: readonly ProjectionStats[];
  /** Commits that the server has not confirmed. */
  readonly pending: number;
  /** What the browser says of the whole origin; null where it does not tell. */
  readonly quota: { readonly usage: number; readonly quota: number } | null;
  readonly persisted: boolean;
}

/** Where one projection stands. */
export interface ProjectionStats {
  readonly name: string;
  readonly version: number;
  readonly checkpoint: number;
  /** Events between the checkpoint and the end of the log. */
  readonly lag: number;
  /** Why it stopped; null while it runs. */
  readonly failed: AnyEverfoldError | null;
}

/** What `verify` found. */
export interface VerifyReport {
  readonly ok: boolean;
  readonly problems: readonly { readonly record: string; readonly message: string }[];
}

/** What `import` wrote. */
export interface ImportReport {
  readonly events: number;
  readonly commits: number;
}
