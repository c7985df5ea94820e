/**
 * The rebuilds of this tab, one for each projection. They belong to the tab, not to the page that shows
 * them, so that one may look at the bank meanwhile.
 */
import { isEverfoldError, type Rebuild, type RebuildProgress } from "everfold";
import { useSyncExternalStore } from "react";
import { balances } from "../balances.ts";
import { dailyTotals } from "../daily-totals.ts";
import type { Pace } from "../shell/pace.ts";
import type { Ledger } from "../store.ts";

export type RebuildJob =
  | { readonly status: "idle" }
  | {
      readonly status: "running";
      readonly done: number;
      readonly total: number;
      readonly pace: Pace;
      readonly paused: boolean;
    }
  | { readonly status: "done"; readonly events: number; readonly seconds: number }
  | { readonly status: "cancelled" }
  | { readonly status: "failed"; readonly error: unknown };

const PROJECTIONS = [balances, dailyTotals] as const;
const IDLE: RebuildJob = { status: "idle" };

const jobs = new Map<string, RebuildJob>();
const running = new Map<string, { readonly work: Rebuild; readonly ending: AbortController }>();
const listeners = new Set<() => void>();

export function useRebuildJob(name: string): RebuildJob {
  return useSyncExternalStore(subscribe, () => jobs.get(name) ?? IDLE);
}

/** Resolves when it has ended, whatever became of it. */
export async function rebuild(ledger: Ledger, name: string): Promise<void> {
  const projection = PROJECTIONS.find((candidate) => candidate.name === name);
  if (!projection) return;
  const startedAt = performance.now();
  const ending = new AbortController();
  let events = 0;
  tell(name, { status: "running", done: 0, total: 0, pace: { perSecond: 0, secondsLeft: undefined }, paused: false });
  try {
    const work = ledger.rebuild(projection, {
      signal: ending.signal,
      onProgress: (progress) => {
        events = progress.processed;
        const job = jobs.get(name);
        tell(name, runningAt(progress, job?.status === "running" && job.paused));
      },
    });
    running.set(name, { work, ending });
    await work;
    tell(name, { status: "done", events, seconds: (performance.now() - startedAt) / 1000 });
  } catch (error) {
    tell(name, isEverfoldError(error, "aborted") ? { status: "cancelled" } : { status: "failed", error });
  }
}

/** Holds it up, or lets it go on. */
export function pauseRebuild(name: string, paused: boolean): void {
  const job = jobs.get(name);
  if (job?.status !== "running") return;
  running.get(name)?.work[paused ? "pause" : "resume"]();
  tell(name, { ...job, paused });
}

/** Leaves the rows as they were. */
export function cancelRebuild(name: string): void {
  running.get(name)?.ending.abort();
}

function runningAt(progress: RebuildProgress, paused: boolean): RebuildJob {
  const { processed, total, eventsPerSecond, remainingMs } = progress;
  const pace = {
    perSecond: Math.round(eventsPerSecond),
    secondsLeft: remainingMs === null ? undefined : Math.ceil(remainingMs / 1000),
  };
  return { status: "running", done: processed, total, pace, paused };
}

function tell(name: string, next: RebuildJob): void {
  jobs.set(name, next);
  for (const listener of listeners) listener();
}

function subscribe(listener: () => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}
