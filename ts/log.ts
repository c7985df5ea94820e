/**
 * The log as this tab knows it: where it ends, who wrote, and who wants to hear of it.
 *
 * Everything that follows the log (states, projections, subscriptions, live results) pulls from it:
 * a change only says how far it reaches and which streams were touched, so nothing is lost when a
 * notice is.
 */
import type { Connection } from "./connection.js";
import type { CoreBatch, CoreQuery } from "./core/reading.js";
import type { CoreFound, CoreIngested, CoreProgress, CoreSettled } from "./core/writing.js";
import type { Core, CoreState } from "./core.js";
import { listenerSet } from "./listeners.js";

/** Streams by id, or "all" when it is not known which. */
export type Touched = ReadonlySet<string> | "all";

/** The log has grown. */
export interface LogChange {
  readonly touched: Touched;
  /** Whether this tab wrote some of it, or had it from the server. */
  readonly own: boolean;
  /** Whether another tab wrote some of it. */
  readonly foreign: boolean;
  /** Whether more is about to follow: who is in no hurry waits for that. */
  readonly more: boolean;
  /** Whether pending events are others than before, or elsewhere. */
  readonly rebased: boolean;
  /** Pending commits that the server took or refused, or that were decided anew; "all" when it is not known which. */
  readonly settled: readonly CoreSettled[] | "all";
}

/** A page of the log; `next` says where the next one begins, null at the end. */
export interface LogPage {
  readonly batch: CoreBatch;
  readonly next: number | null;
}

export interface Log {
  /** Position of the last event that is known. */
  position(): number;
  /** Position of the last event whose place is final; without sync that is the last event. */
  confirmedPosition(): number;
  /** Commits that wait for the server. */
  pending(): number;
  /** A state that was read when this said something else may be of events that are no more. */
  merges(): number;
  /** How often pending events have moved or changed: what was folded from them before is worth nothing. */
  rebases(): number;
  /** Position up to which reads in this tab must see: what it wrote or pulled, and what was there when it opened. */
  ownPosition(): number;
  /** Writes a group of commits. States of foreign streams are out of date once it resolves; call `grown` after that. */
  append(group: string): Promise<CoreProgress>;
  /**
   * Writes commits of a bulk as `Core.ingest` does. States of its `streams`, as of foreign ones, are out of
   * date once it resolves; call `grown` after that.
   */
  ingest(bulk: string, from: number, passOver: boolean, streams: ReadonlySet<string>): Promise<CoreIngested>;
  /** Tells the followers of own writes and of foreign ones that were found on the way. */
  grown(touched: ReadonlySet<string>, more?: boolean): void;
  /** Takes in what other tabs wrote until now. */
  catchUp(): Promise<void>;
  /** The same, and reads in this tab must see it. */
  catchUpAsOwn(): Promise<void>;
  /** Takes in what a call of sync did to the log, and tells the followers. It appended to the streams `written`. */
  synced<T>(
    call: (core: Core) => Promise<string>,
    progressOf: (answer: T) => CoreProgress | undefined,
    written?: ReadonlySet<string>,
  ): Promise<T>;
  /** Takes in a log that was replaced as a whole, or a fresh look at it after a break. */
  restart(state: Pick<CoreState, "position" | "confirmed" | "pending" | "merges">): void;
  page(query: CoreQuery): Promise<LogPage>;
  /** What became of a commit; null if the log does not hold it. With `content`, whether that is the same. */
  outcome(commitId: string, content?: string): Promise<CoreFound | null>;
  /** `listener` hears first, before any promise of the same news resolves, which streams' states are out of date. */
  onStale(listener: (touched: Touched) => void): void;
  /** Returns what ends it. */
  onChange(listener: (change: LogChange) => void): () => void;
}

/** Follows the log behind a connection; `state` is where it stands now. */
export function openLog(connection: Connection, state: CoreState): Log {
  const staleListeners: ((touched: Touched) => void)[] = [];
  const listeners = listenerSet<LogChange>();
  let end = state.position;
  let own = state.position;
  let { confirmed, pending, merges } = state;
  let rebases = 0;
  let foreign: Touched = new Set();
  let settled: LogChange["settled"] = [];
  let rebased = false;
  let running: Promise<void> | undefined;
  let next: Promise<void> | undefined;

  function takeIn(progress: CoreProgress): void {
    // A refused commit makes the log shorter.
    end = progress.rebased ? progress.position : Math.max(end, progress.position);
    ({ confirmed, pending, merges } = progress);
    if (progress.rebased) {
      rebases += 1;
      rebased = true;
      own = end;
    }
    settled = settled === "all" || progress.settled === "all" ? "all" : [...settled, ...progress.settled];
    if (progress.foreign === "all" || progress.foreign.length > 0) {
      const touched = progress.foreign === "all" ? "all" : new Set(progress.foreign);
      foreign = foreign === "all" || touched === "all" ? "all" : new Set([...foreign, ...touched]);
      tellStale(touched);
    }
  }

  function tellStale(touched: Touched): void {
    for (const listener of staleListeners) {
      listener(touched);
    }
  }

  function tell(written: ReadonlySet<string>, more = false, merged = false): void {
    const byOthers = foreign;
    const isForeign = byOthers === "all" || byOthers.size > 0;
    const change: LogChange = {
      touched: byOthers === "all" ? "all" : new Set([...byOthers, ...written]),
      own: written.size > 0 || (merged && (isForeign || rebased || settled.length > 0)),
      foreign: isForeign,
      more,
      rebased,
      settled,
    };
    foreign = new Set();
    rebased = false;
    settled = [];
    if (change.own || change.foreign || change.rebased || change.settled.length > 0) {
      listeners.tell(change);
    }
  }

  async function lookForForeign(): Promise<void> {
    takeIn(await connection.ask<CoreProgress>((core) => core.catchUp()));
    tell(new Set());
  }

  return {
    position: () => end,
    confirmedPosition: () => confirmed,
    pending: () => pending,
    merges: () => merges,
    rebases: () => rebases,
    ownPosition: () => own,
    async append(group) {
      // As they are now: by the time that a lost connection is opened again there may have been others.
      const decidedAt = merges;
      const progress = await connection.ask<CoreProgress>((core) => core.append(group, decidedAt));
      takeIn(progress);
      return progress;
    },
    async ingest(bulk, from, passOver, streams) {
      const ingested = await connection.ask<CoreIngested>((core) => core.tool("ingest", [bulk, from, passOver]));
      takeIn(ingested.progress);
      if (ingested.commits > ingested.knownCommits) {
        tellStale(streams);
      }
      return ingested;
    },
    grown(touched, more) {
      own = end;
      tell(touched, more);
    },
    // A look that began before the call may have missed what the caller wants to see.
    catchUp() {
      if (running === undefined) {
        running = lookForForeign().finally(() => {
          running = undefined;
        });
        return running;
      }
      next ??= running
        .catch(() => undefined)
        .then(() => {
          next = undefined;
          return this.catchUp();
        });
      return next;
    },
    async catchUpAsOwn() {
      await this.catchUp();
      own = end;
    },
    async synced(call, progressOf, written = new Set<string>()) {
      const answer = await connection.ask<Parameters<typeof progressOf>[0]>(call);
      const progress = progressOf(answer);
      if (progress !== undefined) {
        takeIn(progress);
        tellStale(written);
        own = end;
        tell(written, false, true);
      }
      return answer;
    },
    restart(state) {
      // Whatever was pending may have gone meanwhile, and the log may have become shorter.
      takeIn({ ...state, foreign: "all", settled: "all", rebased: true, outcomes: [] });
      own = end;
      tell(new Set());
    },
    async page(query) {
      const [text, numbers, next] = await connection.call((core) => core.read(JSON.stringify(query)));
      return { batch: { ...(JSON.parse(text) as Omit<CoreBatch, "numbers">), numbers }, next };
    },
    outcome: (commitId, content = "") => connection.ask<CoreFound | null>((core) => core.outcome(commitId, content)),
    onStale(listener) {
      staleListeners.push(listener);
    },
    onChange: listeners.add,
  };
}
