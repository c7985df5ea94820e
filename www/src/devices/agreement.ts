/** What two ends of a hash chain say about two logs. */
import type { ShownLog } from "./log.ts";

/** A log beside the server's. */
export type Verdict =
  | { readonly kind: "equal" }
  | { readonly kind: "behind"; readonly commits: number }
  /** It holds what the server has not told yet. */
  | { readonly kind: "ahead" }
  /** The same number of commits and another hash: what must never be. */
  | { readonly kind: "differs" }
  | { readonly kind: "unknown" };

type ChainEnd = Pick<ShownLog, "commits" | "hash">;

export function verdictOf(log: ChainEnd | null, server: ChainEnd | null): Verdict {
  if (!log || !server || server.hash === null) return { kind: "unknown" };
  if (log.commits < server.commits) return { kind: "behind", commits: server.commits - log.commits };
  if (log.commits > server.commits) return { kind: "ahead" };
  return { kind: log.hash === server.hash ? "equal" : "differs" };
}

/** In a word or two, for under the hash. */
export function verdictText(verdict: Verdict): string {
  switch (verdict.kind) {
    case "equal":
      return "equal";
    case "behind":
      return `${verdict.commits} behind`;
    case "ahead":
      return "ahead";
    case "differs":
      return "differs";
    case "unknown":
      return "not known";
  }
}

/** One sentence over all of them. */
export function agreementText(verdicts: readonly Verdict[], pending: number): string {
  if (verdicts.some(({ kind }) => kind === "differs"))
    return "Two logs of the same length are not the same. That must never be.";
  if (verdicts.some(({ kind }) => kind === "unknown"))
    return "The server does not answer, so the logs cannot be compared now.";
  const behind = verdicts.filter(({ kind }) => kind !== "equal").length;
  const waiting =
    pending === 0 ? "" : ` ${pending === 1 ? "One commit is" : `${pending} commits are`} still to be sent.`;
  if (behind > 0)
    return `${behind === 1 ? "One device has" : `${behind} devices have`} not heard the latest yet.${waiting}`;
  return `Equal hashes: every log holds the same commits in the same order.${waiting}`;
}
