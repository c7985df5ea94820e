/**
 * Rows of projections, as they are stored.
 */

/** State of one projection version as stored. */
export interface CoreProjection {
  readonly generation: number;
  /** Position up to which its rows are folded. */
  readonly checkpoint: number;
  /** Highest version of this projection that any tab has written rows for. */
  readonly newestVersion: number;
  /** Set while a rebuild is under way: the generation that it writes and how far it is. */
  readonly rebuild: { readonly generation: number; readonly checkpoint: number } | null;
  /** Whether that can be taken up again, with the indexes that were asked with. */
  readonly resumable: boolean;
  /** The names of the indexes that its rows are entered in, a JSON list as text; empty once the rows were dropped. */
  readonly indexes: string;
  /** How often rows were replaced without folding on: rows kept from before another one are out of date. */
  readonly revision: number;
  /** The position of the event that it stopped at, if it failed. */
  readonly failedAt: number | null;
  /** Other generations of this projection that hold rows: of older versions and of abandoned rebuilds. */
  readonly stale: readonly { readonly generation: number; readonly version: number }[];
}

export type IndexValue = string | number;

/** A change of rows: written with its checkpoint in one transaction, or not at all. */
export interface CoreRowWrite {
  readonly name: string;
  readonly version: number;
  readonly generation: number;
  /** What the rows were folded from; if the stored one differs, the answer is false and nothing is written. */
  readonly expectedCheckpoint: number;
  readonly checkpoint: number;
  /** Key, row (undefined or null deletes), index values before, index values after, by index number. */
  readonly rows: readonly (readonly [
    string,
    unknown,
    readonly (IndexValue | null)[],
    readonly (IndexValue | null)[],
  ])[];
  readonly failedAt?: number | null;
  /** What the rows were folded from, as `expectedCheckpoint`. 0 if left out. */
  readonly revision?: number;
  /** Rows are replaced, not folded on: makes it the next revision. */
  readonly replaces?: boolean;
}

/** A range of rows, by key (`index` left out) or by the number of an index. */
export interface CoreRowQuery {
  readonly generation: number;
  readonly index?: number;
  readonly gte?: IndexValue;
  readonly gt?: IndexValue;
  readonly lte?: IndexValue;
  readonly lt?: IndexValue;
  readonly prefix?: string;
  readonly reverse?: boolean;
  readonly limit?: number;
  /** The last entry of the page before: its index value (absent without an index) and its key. */
  readonly after?: { readonly value?: IndexValue; readonly key: string };
}

/** What reads and writes the rows of projections. */
export interface CoreRows {
  /**
   * `CoreProjection`, made if it does not exist. `indexes` are the names of the definition's, a JSON list, or empty for
   * who only looks. Rows that were stored without are taken as entered in these.
   */
  projection(name: string, version: number, indexes: string): Promise<string>;
  /** Rows by key, JSON array with null for what is missing. `keys` is a JSON array. Null if the generation is gone. */
  rows(generation: number, keys: string): Promise<string>;
  /** `CoreRowQuery` in, `[key, row][]` out. Null if the generation is gone. */
  listRows(query: string): Promise<string>;
  /**
   * `CoreRowWrite` in, of the live generation or of the rebuild under way; false if the stored
   * generation or checkpoint is another.
   */
  writeRows(write: string): Promise<boolean>;
}

/** What counts rows, and replaces all of them. */
export interface CoreRebuilding {
  /** -1 if the generation is gone. */
  countRows(generation: number): Promise<number>;
  /**
   * Keeps rows of the rebuild under way packed, in place of those kept before: a `CoreRowWrite` without rows, and
   * lists of rows, each a line. Cheap, so that checkpoints are. False as `writeRows`.
   */
  stageRows(write: string, parts: string): Promise<boolean>;
  /** Writes the rows of one staged part where they are read; true when none is left. */
  flushRows(name: string, version: number, generation: number): Promise<boolean>;
  /** Begins (or, with `resume`, takes up again one of the same indexes) a rebuild: `CoreProjection`. */
  beginRebuild(name: string, version: number, resume: boolean, indexes: string): Promise<string>;
  /** Makes the rebuilt generation the live one, if its checkpoint has reached `checkpoint`; then the old one can be dropped. */
  switchGeneration(name: string, version: number, generation: number): Promise<boolean>;
  /** Deletes rows of a generation, at most `limit`; true when none are left. */
  dropGeneration(generation: number, limit: number): Promise<boolean>;
  /** Deletes what is left of generations that were not dropped to the end, at most `limit`; true when there is nothing. */
  dropOrphans(limit: number): Promise<boolean>;
}
