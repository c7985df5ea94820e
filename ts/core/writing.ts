/**
 * Writing commits: what goes into the core, and what it says became of them.
 */
import type { CoreError } from "./error.js";
import type { CoreRefusal } from "./refusals.js";

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

/** What writes commits, and tells what became of them. */
export interface CoreWriting {
  /**
   * `CoreNewCommit[]` in, `CoreProgress` out, after the transaction has completed. If `merges` is not what it is now,
   * what expects a version is "stale", although the version may fit: another event may have it by now.
   */
  append(group: string, merges: number): Promise<string>;
  /** Makes a segment of the journal's tail if at least so many of its events are confirmed; false if none was made. */
  seal(least: number): Promise<boolean>;
  /** Reads what other tabs wrote. `CoreProgress`. */
  catchUp(): Promise<string>;
  /**
   * `CoreFound` of a commit, or null if nothing is known of it. `content`, if not empty, is
   * compared: "failed" with `commit-id-reused` if it is another.
   */
  outcome(commitId: string, content: string): Promise<string>;
}

/** What writes many commits at once. */
export interface CoreBulk {
  /**
   * Writes commits of a bulk, from number `from` on, in one transaction and in their order: all of them,
   * or fewer; it ends before the first that is refused, or leaves out those. `CoreIngested`. A bulk is lines, each ended by a line feed, by their first character: `t`
   * a type as JSON, `s` a stream id, `c` a commit (recordedAt, a space, a new id), `k` the same with an id
   * that was given and its content on the next line, `e` an event (numbers of stream and type, schema
   * version, occurredAt) with its data on the next line, `m` the same with metadata on a line before.
   */
  ingest(bulk: string, from: number, passOver: boolean): Promise<string>;
}
