/**
 * The rebuilds of this tab, one for each projection. They belong to the tab, not to the page that shows
 * them, so that one may look at the bank meanwhile.
 */
import { isEverfoldError } from "everfold";
import { useSyncExternalStore } from "react";
import { balances } from "../balances.ts";
import { dailyTotals } from "../daily-totals.ts";
import { type Pace, paceOf } from "../shell/progress.tsx";
import type { Ledger } from "../store.ts";

export type RebuildJob =
  | { readonly status: "idle" }
  | { readonly status: "running"; readonly done: number; readonly total: number; readonly pace: Pace }
  | { readonly status: "done"; readonly events: number; readonly seconds: number }
  | { readonly status: "cancelled" }
  | { readonly status: "failed"; readonly error: unknown };

const PROJECTIONS = [balances, dailyTotals] as const;
const IDLE: RebuildJob = { status: "idle" };

const jobs = new Map<string, RebuildJob>();
const running = new Map<string, AbortController>();
const listeners = new Set<() => void>();

export function useRebuildJob(name: string): RebuildJob {
  return useSyncExternalStore(subscribe, () => jobs.get(name) ?? IDLE);
}

/** Resolves when it has ended, whatever became of it. */
export async function rebuild(ledger: Ledger, name: string): Promise<void> {
  const projection = PROJECTIONS.find((candidate) => candidate.name === name);
  if (!projection) return;
  const ending = new AbortController();
  running.set(name, ending);
  const startedAt = performance.now();
  let total = 0;
  const show = (done: number): void =>
    tell(name, { status: "running", done, total, pace: paceOf(done, total, startedAt, performance.now()) });
  show(0);
  try {
    await ledger.rebuild(projection, {
      signal: ending.signal,
      onProgress: (progress) => {
        total = progress.total;
        show(progress.processed);
      },
    });
    tell(name, { status: "done", events: total, seconds: (performance.now() - startedAt) / 1000 });
  } catch (error) {
    tell(name, isEverfoldError(error, "aborted") ? { status: "cancelled" } : { status: "failed", error });
  }
}

/** Leaves the rows as they were. */
export function cancelRebuild(name: string): void {
  running.get(name)?.abort();
}

function tell(name: string, next: RebuildJob): void {
  jobs.set(name, next);
  for (const listener of listeners) listener();
}

function subscribe(listener: () => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}
