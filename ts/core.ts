/**
 * What the wasm core offers, as TypeScript sees it.
 *
 * The core knows streams, versions, commits, segments, rows and storage; it knows no definition and
 * calls nothing of the user's. Everything long is text: one JSON document a call, because one
 * `JSON.parse` of a batch is several times cheaper than a call across the border for each event.
 *
 * Every promise rejects with a `CoreError`, a plain object that `errors.ts` turns into an
 * `EverfoldError`. After a trap (a `WebAssembly.RuntimeError`) the instance is dead and its promises
 * never settle: see `wasm.ts`.
 */

/** What the core rejects with. `code` is one of `EverfoldErrorCode`. */
export interface CoreError {
  readonly code: string;
  readonly message: string;
  readonly details?: Readonly<Record<string, unknown>>;
}

/** Options of `Core.open`. */
export interface CoreOptions {
  readonly name: string;
  readonly storage: "indexeddb" | "memory";
  readonly durability: "strict" | "relaxed";
  /** A fresh random id, kept if the store has none yet; the stored one is in `CoreState.replicaId`. */
  readonly replicaId: string;
  /** Milliseconds since the epoch, written into a new store. */
  readonly now: number;
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

/** What the state machine of sync is told: docs/sync.md. Times are milliseconds. */
export type SyncInput =
  | {
      readonly input: "start";
      readonly pending: number;
      readonly rebase: boolean;
      readonly bound: boolean;
      readonly live: boolean;
      readonly batch?: number;
    }
  | { readonly input: "leading" | "online" | "visible"; readonly on: boolean }
  | { readonly input: "committed"; readonly pending: number }
  | { readonly input: "token"; readonly ok: boolean }
  | {
      readonly input: "applied";
      readonly request: number;
      readonly pending: number;
      readonly rebase: boolean;
      readonly more: boolean;
      readonly stopped: boolean;
    }
  | {
      readonly input: "failed";
      readonly request: number;
      readonly status: number;
      readonly problem?: string | null;
      readonly retryAfter?: number | null;
    }
  | { readonly input: "tail"; readonly request: number; readonly event: "opened" | "closed" }
  | {
      readonly input: "tail";
      readonly request: number;
      readonly event: "applied";
      readonly pending: number;
      readonly rebase: boolean;
    }
  | { readonly input: "rebased"; readonly pending: number; readonly blocked: number; readonly rebase: boolean }
  | { readonly input: "recovered"; readonly pending: number; readonly rebase: boolean }
  | { readonly input: "stuck"; readonly code: string }
  | { readonly input: "now" | "pause" | "resume" | "tick" };

/** What it wants done. */
export type SyncOutput =
  | {
      readonly output: "send";
      readonly request: number;
      readonly kind: "capabilities" | "push" | "pull" | "tail";
      readonly maxCommits: number;
      readonly maxBytes: number;
    }
  | { readonly output: "cancel"; readonly request: number }
  | { readonly output: "token"; readonly refresh: boolean }
  | { readonly output: "rebase" }
  /** `request` is the one that was answered with `epoch-changed`. */
  | { readonly output: "recover"; readonly request: number }
  /** Give a `tick` at this time, in place of any told before. */
  | { readonly output: "wake"; readonly at: number }
  | {
      readonly output: "status";
      readonly state: "off" | "connecting" | "idle" | "pushing" | "pulling" | "offline" | "blocked";
      readonly blockedBy?: string;
      readonly lastError?: string;
      readonly lastContact?: number;
    };

export type ExpectedVersion = number | "any" | "no-stream" | "stream-exists";

/** An event to write. `data` and `metadata` have been checked: they are JSON, `undefined` dropped. */
export interface CoreNewEvent {
  readonly type: string;
  readonly data?: unknown;
  readonly metadata?: unknown;
  readonly schemaVersion: number;
  readonly occurredAt: number;
  /** 32 random lower-case hexadecimal digits, when sync is on. */
  readonly salt?: string;
}

/** One commit of a group given to `append`. */
export interface CoreNewCommit {
  readonly commitId: string;
  /** True if the caller chose the id: then the whole log is searched for it. */
  readonly known: boolean;
  readonly recordedAt: number;
  readonly mode: "intent" | "fact";
  /** The command with its definition, when the commit was decided. */
  readonly command?: unknown;
  readonly definition?: { readonly name: string; readonly version: number };
  /** What the caller gave, defaults excluded, as the text that is compared when the id comes again. */
  readonly content: string;
  /** Streams that were read and not written, with the version that was decided on. */
  readonly reads: readonly { readonly streamId: string; readonly version: number }[];
  /** Who made it, when sync is on. */
  readonly subject?: string;
  readonly causationId?: string;
  readonly correlationId?: string;
  readonly streams: readonly {
    readonly streamId: string;
    readonly expectedVersion: ExpectedVersion;
    readonly events: readonly CoreNewEvent[];
  }[];
}

/** What became of one commit of a group. Positions and versions are those of its first events. */
export type CoreOutcome =
  | {
      readonly status: "appended" | "duplicate";
      readonly commitId: string;
      readonly attempt: number;
      readonly position: number;
      readonly streams: readonly {
        readonly streamId: string;
        readonly firstVersion: number;
        readonly lastVersion: number;
      }[];
    }
  | {
      readonly status: "conflict";
      readonly streamId: string;
      readonly expected: ExpectedVersion;
      readonly actual: number;
    }
  /** It was decided on an earlier commit of the same group that was not appended: decide again. */
  | { readonly status: "stale"; readonly streamId: string }
  | { readonly status: "failed"; readonly error: CoreError };

/** What became of a commit by its id: "pending" instead of "duplicate" as long as the server has not taken it. */
export type CoreFound =
  | CoreOutcome
  | (Omit<Extract<CoreOutcome, { commitId: string }>, "status"> & { readonly status: "pending" })
  /** It is among the refusals; of one that was dismissed there is not much left. */
  | ({ readonly status: "refused" } & Pick<CoreRefusal, "commitId" | "kind"> & Partial<CoreRefusal>);

/** The answer to `append` and `catchUp`. */
export interface CoreProgress {
  /** Position of the last event afterwards. */
  readonly position: number;
  /**
   * Streams that other tabs wrote to since the last call, or "all" when too much happened to tell:
   * states kept for them are out of date.
   */
  readonly foreign: readonly string[] | "all";
  /** For `append`: one for each commit of the group, in its order. */
  readonly outcomes: readonly CoreOutcome[];
  /** Position of the last confirmed event. */
  readonly confirmed: number;
  /** How many commits are pending. */
  readonly pending: number;
  /** What became since the last call of commits that were pending, in this tab or in others; "all" when too much happened to tell. */
  readonly settled: readonly CoreSettled[] | "all";
  /** Pending events are others than before, or elsewhere. */
  readonly rebased: boolean;
  /** How often a merge may have put events in the places of others. */
  readonly merges: number;
}

/** What became of a commit that was pending. */
export interface CoreSettled {
  readonly commitId: string;
  readonly status: "confirmed" | "changed" | "refused";
  readonly attempt: number;
}

/** How a store stands to the space that it is bound to. */
export interface CoreSyncState {
  readonly space: string;
  readonly subject: string;
  /** Where the next pull begins; null before the server was heard. */
  readonly cursor: string | null;
  /** The last commit that this store has of the space: the hash of the chain, and its number. */
  readonly hash: string;
  readonly number: number;
  readonly pending: number;
  /** `recordedAt` of the first pending commit. */
  readonly oldestPendingAt: number | null;
  readonly confirmed: number;
  /** Pending commits are to be decided again. */
  readonly rebase: boolean;
  /** The space is still taking over the history that was made without it. */
  readonly adopting: boolean;
}

/** What to bind a store to. */
export interface CoreBindOptions {
  readonly space: string;
  readonly subject: string;
  /** Of the capabilities; left out before the server was heard. */
  readonly cursor?: string;
  readonly adopt: "empty" | "rebase" | null;
}

/** What answers of the server led to. */
export interface CorePulled {
  readonly progress: CoreProgress;
  readonly pending: number;
  /** Pending commits are to be decided again. */
  readonly rebase: boolean;
  /** The server has more. */
  readonly more: boolean;
  /** A push ended before its end. */
  readonly stopped: boolean;
  /** Pending commits that the server refused: they are among the refusals. */
  readonly refused: readonly string[];
}

/** A pending commit to be decided again. */
export interface CoreDecide {
  /** The walk begins here: states and batches of a walk before count no more. */
  readonly begins: boolean;
  readonly commitId: string;
  /** The events of a fact stay whatever is decided; a refusal only tells that it breaks a rule. */
  readonly mode: "intent" | "fact";
  readonly definition?: { readonly name: string; readonly version: number };
  readonly command: unknown;
  /** Of its first event. */
  readonly occurredAt: number;
  readonly metadata?: unknown;
  /**
   * The streams that it was decided on: the state of each is that at `confirmedVersion`, with all batches of the stream
   * that this walk has given folded on it.
   */
  readonly streams: readonly {
    readonly streamId: string;
    readonly confirmedVersion: number;
    readonly written: boolean;
    readonly batch: CoreBatch;
  }[];
}

/** How it was decided. */
export type CoreDecision =
  | {
      readonly events: readonly { readonly streamId: string; readonly events: readonly CoreNewEvent[] }[];
      readonly definition?: { readonly name: string; readonly version: number };
    }
  | {
      readonly refused: unknown;
      readonly stateSeen?: readonly { readonly streamId: string; readonly version: number; readonly state: unknown }[];
    }
  | { readonly blocked: { readonly code: string; readonly message: string } };

/** The end of a walk through what is pending. */
export interface CoreRebased {
  readonly done: {
    readonly progress: CoreProgress;
    readonly changed: readonly string[];
    readonly refused: readonly string[];
    /** Facts that break a rule. */
    readonly violated: readonly { readonly commitId: string; readonly reason: unknown }[];
    /** Commits that could not be decided: they and what stands on them wait for the next walk. */
    readonly blocked: readonly {
      readonly commitId: string;
      readonly error: { readonly code: string; readonly message: string };
    }[];
  };
}

/** What was pending and is not any more, or not as it was. */
export interface CoreRefusal {
  readonly commitId: string;
  readonly kind: "refused" | "changed" | "orphaned";
  /** Whether the app was told of it: `refusalTold`. */
  readonly told?: true;
  /** What `CoreDecision` said, the problem document of the server, or `{ code: "conflict" | "no-events" }`. */
  readonly reason: unknown;
  readonly stateSeen:
    | readonly { readonly streamId: string; readonly version: number; readonly state: unknown }[]
    | null;
  readonly attempt: number;
  readonly mode: "intent" | "fact";
  readonly recordedAt: number;
  readonly command?: unknown;
  readonly definition?: { readonly name: string; readonly version: number };
  /** Its events as they were. They have no position. */
  readonly batch: CoreBatch;
  /** Those of one that was changed as they are now. */
  readonly after?: CoreBatch;
}

/** The answer to `ingest`: what of the bulk is in the log, from the first commit asked for on. */
export interface CoreIngested {
  readonly progress: CoreProgress;
  readonly commits: number;
  readonly events: number;
  /** Those of them that the log already held by their id. */
  readonly knownCommits: number;
  readonly knownEvents: number;
  /** Position of the last event of these commits, 0 if there are none. */
  readonly position: number;
  /** Commits that are not written, by their number in the bulk. */
  readonly refused: readonly (readonly [number, CoreOutcome])[];
  /** The number of the commit to go on with. */
  readonly next: number;
}

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

/** The class of the wasm core. Texts are JSON of the types above. */
export interface Core {
  /** `CoreState`. */
  state(): string;
  /**
   * Resolves when the connection was closed from outside, never otherwise: "versionchange" (another
   * tab deletes or upgrades the database) or "lost" (the browser closed it, opening again may help).
   */
  closed(): Promise<string>;
  /**
   * `CoreNewCommit[]` in, `CoreProgress` out, after the transaction has completed. If `merges` is not what it is now,
   * what expects a version is "stale", although the version may fit: another event may have it by now.
   */
  append(group: string, merges: number): Promise<string>;
  /**
   * Writes commits of a bulk, from number `from` on, in one transaction and in their order: all of them,
   * or fewer; it ends before the first that is refused, or leaves out those. `CoreIngested`. A bulk is lines, each ended by a line feed, by their first character: `t`
   * a type as JSON, `s` a stream id, `c` a commit (recordedAt, a space, a new id), `k` the same with an id
   * that was given and its content on the next line, `e` an event (numbers of stream and type, schema
   * version, occurredAt) with its data on the next line, `m` the same with metadata on a line before.
   */
  ingest(bulk: string, from: number, passOver: boolean): Promise<string>;
  /** Reads what other tabs wrote. `CoreProgress`. */
  catchUp(): Promise<string>;
  /** Makes a segment of the journal's tail; false if it is empty. */
  seal(): Promise<boolean>;
  /** Merges one run of at least `run` small segments into one; false if there is none. */
  compact(run: number): Promise<boolean>;
  /**
   * `CoreLoaded`. `definition` and `version` name the snapshots that may serve, none if the name is
   * empty; `atVersion` and `at` (occurredAt or recordedAt by `clock`) restrict, NaN leaves open.
   */
  load(
    streamId: string,
    definition: string,
    version: number,
    atVersion: number,
    at: number,
    clock: string,
  ): Promise<string>;
  /** `CoreQuery` in. */
  read(query: string): Promise<CorePage>;
  /** The first ids of all parts but the first, when the streams with a prefix are divided: `string[]`. */
  streamBounds(prefix: string, count: number): Promise<string>;
  /** Ids of streams that begin with `prefix`, after `after` ("" from the first): `string[]`. */
  streams(prefix: string, after: string, limit: number): Promise<string>;
  /**
   * `CoreFound` of a commit, or null if nothing is known of it. `content`, if not empty, is
   * compared: "failed" with `commit-id-reused` if it is another.
   */
  outcome(commitId: string, content: string): Promise<string>;
  /** `CoreSyncState`, or null without sync. */
  syncState(): Promise<string>;
  /**
   * `CoreBindOptions` in, `CoreSyncState` out; again for the same space is fine, and needed with the cursor of the
   * capabilities, at first and after a break. `invalid-argument` for another space, `sync-diverged` when both have a
   * history and `adopt` does not say what becomes of the one here.
   */
  bindSync(options: string): Promise<string>;
  /** This instance leads from now on: what another one still writes by `pulled`, `rebaseNext`, `recover` rejects with "fenced". */
  lead(): Promise<void>;
  /** The body of a push and how many commits it has; null if there is nothing, or something is to be decided first. */
  pushBody(maxCommits: number, maxBytes: number): Promise<readonly [text: string, commits: number] | null>;
  /**
   * Stores the answer to a pull or a push: `CorePulled`. "sync-protocol", "sync-diverged": nothing is changed. What can be
   * done of it while an earlier one is stored is done at once; `turn` waits for a task of its own for the rest of a long one.
   */
  pulled(answer: Uint8Array, turn: () => Promise<void>): Promise<string>;
  /**
   * One step of the walk through what is pending: "" first, then the `CoreDecision` on the commit asked for last.
   * `CoreDecide`, or `CoreRebased` at the end. When the log changes meanwhile it begins again with the first commit.
   */
  rebaseNext(decision: string): Promise<string>;
  /**
   * While `adopting`: the next part of the history that the space takes over, to be pushed. Null if there is none, or
   * before the server was heard.
   */
  adoptBody(maxCommits: number, maxBytes: number): Promise<readonly [text: string, commits: number] | null>;
  /** The answer to that push: `CoreSyncState`. "sync-diverged", with nothing changed: it has, or wants, something else. */
  adopted(answer: string): Promise<string>;
  /**
   * The problem document of `epoch-changed` and "ask", "auto" or "discard": takes the log back to where the epochs part.
   * `CoreProgress`; its positions may be lower than before. "sync-diverged", with nothing changed: they do not part in this log.
   */
  recover(problem: string, policy: string): Promise<string>;
  /** Makes an orphan pending again, as a fact with its id: `CoreProgress`. */
  retryOrphan(commitId: string): Promise<string>;
  /** `CoreRefusal[]`, those that are not dismissed, oldest first. */
  refusals(): Promise<string>;
  dismissRefusal(commitId: string): Promise<void>;
  /** The app has been told of it, and is not told again. */
  refusalTold(commitId: string): Promise<void>;
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

  /**
   * `CoreProjection`, made if it does not exist. `indexes` are the names of the definition's, a JSON list, or empty for
   * who only looks. Rows that were stored without are taken as entered in these.
   */
  projection(name: string, version: number, indexes: string): Promise<string>;
  /** Rows by key, JSON array with null for what is missing. `keys` is a JSON array. Null if the generation is gone. */
  rows(generation: number, keys: string): Promise<string>;
  /** `CoreRowQuery` in, `[key, row][]` out. Null if the generation is gone. */
  listRows(query: string): Promise<string>;
  /** -1 if the generation is gone. */
  countRows(generation: number): Promise<number>;
  /**
   * `CoreRowWrite` in, of the live generation or of the rebuild under way; false if the stored
   * generation or checkpoint is another.
   */
  writeRows(write: string): Promise<boolean>;
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

  /** Numbers for `store.stats()`, JSON. */
  stats(): Promise<string>;
  /** Checks every record, block, version and position from `afterPosition`: `{ next, problems: [{ record, message }] }`, one segment a call. */
  verify(afterPosition: number): Promise<string>;
  /** Bytes of an export, one part a call from 0; null after the last. */
  exportPart(part: number): Promise<Uint8Array | null>;
  /** Checks a whole export file without writing: `{ events, commits }`. */
  checkImport(bytes: Uint8Array): Promise<string>;
  /**
   * Writes a checked export into an empty store, or with `merge` what is new by commitId, in one
   * transaction: `{ position, events, commits }`, the last two of what was new.
   */
  importAll(bytes: Uint8Array, merge: boolean): Promise<string>;

  /** What sync does next: a `SyncInput` in, `SyncOutput[]` out. */
  replica(input: string, now: number, random: number): Promise<string>;

  /** Fails the `call`-th storage call from now with `error` ("quota", "unknown", "closed", "aborted", "blocked"), for `everfold/testing`. */
  failStorage(call: number, error: string): void;
  /** Storage calls made so far. */
  storageCalls(): number;
  close(): Promise<void>;
  free(): void;
}

/** The static side of the class. */
export interface CoreClass {
  /**
   * `callback` gets the message of a panic, from the panic hook and so before the trap: a panic in a
   * microtask or in an IndexedDB handler reaches no caller. Set once after each instantiation.
   */
  onPanic(callback: (message: string) => void): void;
  open(options: CoreOptions): Promise<Core>;
  /** Deletes a database; resolves when it is gone. */
  deleteStore(name: string, storage: string): Promise<void>;
}

/** What a module of the app's own defines. */
export interface CoreDefinitionList {
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

/** A stream as a state of an aggregate in Rust. */
export interface CoreFolded extends Omit<CoreLoaded, "batch"> {
  readonly state: unknown;
}

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
  /** `CoreFolded`. Snapshots of `version` may serve, none if it is 0; the rest as `Core.load`. */
  load(
    core: Core,
    aggregate: string,
    version: number,
    streamId: string,
    atVersion: number,
    at: number,
    clock: string,
  ): Promise<string>;
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

/**
 * The generated glue, `pkg/everfold.js` or that of a module of the app's own. Ours is built with
 * `--experimental-reset-state-function`, so that a fresh instance can replace one that trapped.
 */
export interface CoreModule {
  readonly default: (input: { module_or_path: unknown } | undefined) => Promise<unknown>;
  readonly Core: CoreClass;
  readonly Definitions?: CoreDefinitions;
  readonly __wbg_reset_state?: () => void;
}
