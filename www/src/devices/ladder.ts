/** Logs side by side: commits of equal number in one row, below them what each has not had confirmed. */
import { type LoggedCommit, numbered, type ShownLog } from "./log.ts";

export interface Rung {
  readonly number: number;
  /** One cell a log; undefined where a log does not hold the commit. */
  readonly cells: readonly (LoggedCommit | undefined)[];
}

export interface Ladder {
  readonly rungs: readonly Rung[];
  /** Pending commits, one row for each place in the tails. */
  readonly tails: readonly (readonly (LoggedCommit | undefined)[])[];
  /** Pending commits that are not shown, of each log. */
  readonly more: readonly number[];
}

/** The last `rungs` numbers of the longest log, and so many rows of pending commits. */
export function ladderOf(logs: readonly (ShownLog | null)[], limits: { rungs: number; tails: number }): Ladder {
  const last = Math.max(0, ...logs.map((log) => log?.commits ?? 0));
  const first = Math.max(1, last - limits.rungs + 1);
  const rungs = Array.from({ length: last - first + 1 }, (_, index) => {
    const number = first + index;
    return { number, cells: logs.map((log) => (log && number <= log.commits ? numbered(log, number) : undefined)) };
  });
  const longest = Math.max(0, ...logs.map((log) => log?.pending.length ?? 0));
  const tails = Array.from({ length: Math.min(longest, limits.tails) }, (_, index) =>
    logs.map((log) => log?.pending[index]),
  );
  return { rungs, tails, more: logs.map((log) => Math.max(0, (log?.pending.length ?? 0) - limits.tails)) };
}

/** True if the logs that hold the commit of this number hold the same one. */
export function isOneCommit({ cells }: Rung): boolean {
  const ids = cells.flatMap((cell) => (cell ? [cell.commitId] : []));
  return ids.every((id) => id === ids[0]);
}
