/**
 * Subscriptions: past commits, then each new one, in the order of the log, without a gap or a repeat.
 *
 * A subscription reads the log from where it is; being told of a change only makes it look. So the
 * hand-over from past to live is no special case, and other tabs' commits are not either.
 *
 * What is confirmed keeps its place and is read once. What is pending is remembered: it comes again as confirmed, or
 * moves, changes or goes.
 */
import type { Engine } from "./engine.js";
import { isEverfoldError } from "./errors.js";
import type { RecordedEvent } from "./event.js";
import { callListener } from "./listeners.js";
import { problemOf } from "./problems.js";
import { coreQuery, readPages } from "./read.js";
import type { CommitNotice, NotedCommit, SubscribeQuery } from "./types.js";

/** Calls `listener` with each page of commits. Returns what ends it. */
export function subscribeTo(
  engine: Engine,
  { afterPosition, types, aggregate }: SubscribeQuery,
  listener: (notice: CommitNotice) => void,
): () => void {
  engine.check();
  const { log } = engine;
  const query = coreQuery({ types, aggregate, afterPosition });
  /** What is before this is not told, but how it goes on is. */
  const start = query.afterPosition ?? log.position();
  /** It begins where another tab was, and this one is not yet. */
  let behind = start > log.position();
  let confirmed = Math.min(start, log.confirmedPosition());
  let position = confirmed;
  let rebases = log.rebases();
  const pending = new Map<string, NotedCommit>();
  let running = false;
  let ended = false;

  async function deliver(): Promise<void> {
    if (running) {
      return;
    }
    running = true;
    try {
      if (behind) {
        await log.catchUp();
        if (log.position() >= start) {
          confirmed = Math.min(start, log.confirmedPosition());
          [position, rebases] = [confirmed, log.rebases()];
        }
        behind = false;
      }
      while (
        !ended &&
        (position < log.position() || confirmed !== log.confirmedPosition() || rebases !== log.rebases())
      ) {
        await deliverToEnd();
      }
    } catch (error) {
      const problem = problemOf(error);
      if (problem !== undefined && !isEverfoldError(error, "store-closed")) {
        engine.report(problem);
      }
    }
    running = false;
  }

  async function deliverToEnd(): Promise<void> {
    const [final, end, count] = [log.confirmedPosition(), log.position(), log.rebases()];
    // A server that was restored takes some of it back.
    confirmed = Math.min(confirmed, final);
    await read(confirmed, final, (commits, reached) => {
      tell(commits.map((commit) => [pending.delete(commit.commitId) ? "confirmed" : "appended", commit]));
      confirmed = reached;
    });
    const seen = new Set<string>();
    const moved = count !== rebases;
    await read(moved ? final : Math.max(position, final), end, (commits) => {
      const noted = commits.filter(({ events }) => events[0]?.status === "pending");
      tell(
        noted.flatMap((commit): Told[] => {
          const before = pending.get(commit.commitId);
          pending.set(commit.commitId, commit);
          seen.add(commit.commitId);
          const isOld = !moved && (commit.events.at(-1)?.position ?? 0) <= start;
          return before === undefined
            ? isOld
              ? []
              : [["appended", commit]]
            : isMoved(before, commit)
              ? [["rebased", commit]]
              : [];
        }),
      );
    });
    if (ended) {
      return;
    }
    [position, rebases] = [end, count];
    for (const [commitId, commit] of moved ? pending : []) {
      if (!seen.has(commitId)) {
        await follow(commit);
      }
    }
  }

  /** A pending commit is not where it was: it was refused, or changed into what is not asked for, or is confirmed. */
  async function follow(commit: NotedCommit): Promise<void> {
    const outcome = await log.outcome(commit.commitId);
    if (outcome?.status === "refused") {
      pending.delete(commit.commitId);
      tell([["refused", commit]]);
    } else if (outcome?.status === "pending") {
      pending.set(commit.commitId, { ...commit, attempt: outcome.attempt, events: [] });
      if (outcome.attempt !== commit.attempt) {
        tell([["rebased", { ...commit, attempt: outcome.attempt, events: [] }]]);
      }
    }
  }

  /** Reads whole commits, a page at a time. */
  async function read(after: number, until: number, take: (commits: Gathered[], reached: number) => void) {
    // A page may end inside a commit: its events wait for the rest.
    let begun: RecordedEvent[] = [];
    if (after >= until) {
      return;
    }
    const pages = readPages(engine, { ...query, afterPosition: after, untilPosition: until });
    for await (const { events, more, position: reached } of pages) {
      const commits = commitsOf([...begun, ...events]);
      begun = more ? (commits.pop()?.events ?? []) : [];
      if (ended) {
        return;
      }
      const first = begun[0];
      take(commits, first === undefined ? reached : first.position - 1);
    }
  }

  /** Commits of one kind that stand together are one notice. */
  function tell(commits: readonly Told[]): void {
    for (let from = 0; from < commits.length && !ended; ) {
      const kind = (commits[from] as Told)[0];
      const end = commits.findIndex((told, place) => place > from && told[0] !== kind);
      const run = commits.slice(from, end < 0 ? undefined : end);
      callListener(listener, { kind, commits: run.map(([, commit]) => commit) });
      from += run.length;
    }
  }

  const stopListening = log.onChange(() => void deliver());
  void deliver();
  return () => {
    ended = true;
    stopListening();
  };
}

type Told = readonly [kind: CommitNotice["kind"], commit: NotedCommit];

/** Whether a pending commit has other events than before, or the same in another place of their streams. */
function isMoved(before: NotedCommit, now: NotedCommit): boolean {
  return before.attempt !== now.attempt || before.events[0]?.version !== now.events[0]?.version;
}

interface Gathered extends NotedCommit {
  readonly events: RecordedEvent[];
}

/** Events of one commit stand together in the log. */
function commitsOf(events: readonly RecordedEvent[]): Gathered[] {
  const commits: Gathered[] = [];
  for (const event of events) {
    const last = commits.at(-1);
    if (last?.commitId === event.commitId) {
      last.events.push(event);
    } else {
      commits.push({ commitId: event.commitId, attempt: event.attempt, events: [event] });
    }
  }
  return commits;
}
