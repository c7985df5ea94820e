/**
 * Reading events and states: what is asked of the core, and what comes out of it.
 */

/** Events as one document. */
export interface CoreBatch {
  readonly types: readonly string[];
  readonly streams: readonly string[];
  /** commitId, attempt, recordedAt, replicaId, status (0 pending, 1 confirmed), actor, causationId, correlationId, receivedAt (0 if none). */
  readonly commits: readonly (readonly [
    string,
    number,
    number,
    string,
    0 | 1,
    string | 0,
    string | 0,
    string | 0,
    number,
  ])[];
  /** Of each event; null if none. */
  readonly data: readonly unknown[];
  /** Of those events that have some: the event's place in the batch, its metadata. */
  readonly metadata: readonly (readonly [number, unknown])[];
  /**
   * `NUMBERS_PER_EVENT` for each event: number of its type and of its stream, version, position, occurredAt,
   * number of its commit, index inside that, schemaVersion.
   */
  readonly numbers: ArrayLike<number>;
}

export const NUMBERS_PER_EVENT = 8;

/** The answer to `load`. */
export interface CoreLoaded {
  /** A snapshot that verified, its state as JSON; null if none serves. */
  readonly snapshot: { readonly version: number; readonly state: unknown } | null;
  /** The stream's version at this instance's knowledge (not the version asked for). */
  readonly version: number;
  /** The version of its last confirmed event. */
  readonly confirmed: number;
  /** Events after the snapshot, up to what was asked for. */
  readonly batch: CoreBatch;
  /** Versions of snapshots that did not verify and were dropped. */
  readonly dropped: readonly number[];
}

/** What to read. Bounds are inclusive but for `afterPosition`; `cursor` comes from the page before. */
export interface CoreQuery {
  readonly streamId?: string;
  /** Only events of this version or above in their stream. */
  readonly fromVersion?: number;
  /** Streams whose id begins with this text, for an aggregate `account-`. */
  readonly prefix?: string;
  readonly streams?: readonly string[];
  readonly types?: readonly string[];
  readonly afterPosition?: number;
  /** The last position to read, fixed by the first page. */
  readonly untilPosition?: number;
  readonly from?: number;
  readonly until?: number;
  readonly clock: "occurred" | "recorded";
  readonly direction: "forward" | "backward";
  readonly limit?: number;
  /** Only streams whose id is this or comes after it, in the order of their bytes. */
  readonly firstStream?: string;
  /** Only streams whose id comes before this. */
  readonly beforeStream?: string;
}

/**
 * One page of a read: the text of a `CoreBatch` without its numbers, the numbers, and what to give back as
 * `afterPosition` (forward) or `untilPosition` (backward) for the next page, null at the end.
 */
export type CorePage = readonly [text: string, numbers: Float64Array, next: number | null];

/** What reads events and states. */
export interface CoreReading {
  /**
   * `CoreLoaded`. `definition` and `version` name the snapshots that may serve, none if the name is
   * empty, and `snapshotEvery` says after how many events one is kept; `atVersion` and `at` (occurredAt or recordedAt by
   * `clock`) restrict, NaN leaves open.
   */
  load(
    streamId: string,
    definition: string,
    version: number,
    snapshotEvery: number,
    atVersion: number,
    at: number,
    clock: string,
  ): Promise<string>;
  /** `CoreQuery` in. */
  read(query: string): Promise<CorePage>;
}

/** What is seldom read, and what keeps snapshots. */
export interface CoreStreams {
  /** The first ids of all parts but the first, when the streams with a prefix are divided: `string[]`. */
  streamBounds(prefix: string, count: number): Promise<string>;
  /** Ids of streams that begin with `prefix`, after `after` ("" from the first): `string[]`. */
  streams(prefix: string, after: string, limit: number): Promise<string>;
  /**
   * Keeps a snapshot (state as JSON text) and the last `keep` of the stream. Not one that was read when `merges` was not what
   * it is now.
   */
  putSnapshot(
    merges: number,
    streamId: string,
    definition: string,
    version: number,
    streamVersion: number,
    state: string,
    keep: number,
  ): Promise<void>;
  dropSnapshots(streamId: string): Promise<void>;
}
