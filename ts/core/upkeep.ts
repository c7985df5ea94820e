/**
 * Looking after the log.
 */

/** What looks after the log, checks it and takes it elsewhere. */
export interface CoreUpkeep {
  /** Merges one run of at least `run` small segments into one; false if there is none. */
  compact(run: number): Promise<boolean>;
  /** Numbers for `store.stats()`, JSON. */
  stats(): Promise<string>;
  /**
   * Checks every record, block, version and position from `afterPosition`: `{ next, problems: [{ record, message }] }`, one segment
   * a call. One check at a time.
   */
  verify(afterPosition: number): Promise<string>;
  /** Bytes of an export, one part a call from 0; null after the last. One export at a time. */
  exportPart(part: number): Promise<Uint8Array | null>;
  /** Checks a whole export file without writing: `{ events, commits }`. */
  checkImport(bytes: Uint8Array): Promise<string>;
  /**
   * Writes a checked export into an empty store, or with `merge` what is new by commitId, in one
   * transaction: `{ position, events, commits }`, the last two of what was new.
   */
  importAll(bytes: Uint8Array, merge: boolean): Promise<string>;
}
