/** A log as the figure shows it: the last commits that are confirmed, by their number, and what is pending. */
import type { PlacedEvent } from "./commit-text.ts";

export interface LoggedCommit {
  readonly commitId: string;
  readonly events: readonly PlacedEvent[];
  /** The person whose commit it is, where it is known. */
  readonly actor: string | undefined;
  readonly occurredAt: number;
  readonly status: "pending" | "confirmed";
}

export interface ShownLog {
  /** Number of the last confirmed commit: how many there are. */
  readonly commits: number;
  /** The end of the hash chain, which stands for all of them and their order. Null while none is known. */
  readonly hash: string | null;
  /** The last of the confirmed, in their order. */
  readonly confirmed: readonly LoggedCommit[];
  readonly pending: readonly LoggedCommit[];
}

/** How much of a hash is shown, as people compare it. */
export function shortHash(hash: string | null): string {
  return hash === null ? "–" : hash.slice(0, 7);
}

/** The commit with a number, if it is among those that are kept. */
export function numbered(log: ShownLog, number: number): LoggedCommit | undefined {
  return log.confirmed[log.confirmed.length - 1 - (log.commits - number)];
}
