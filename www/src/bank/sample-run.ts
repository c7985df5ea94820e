/**
 * Fills an empty ledger with the sample bank. One run a tab, which goes on while pages change.
 *
 * Interrupted, it is simply run again: the days that are there are known by their commit ids.
 */
import { useSyncExternalStore } from "react";
import { SAMPLE_EVENTS, sampleBank } from "../sample-bank.ts";
import { type Pace, paceOf } from "../shell/progress.tsx";
import type { Ledger } from "../store.ts";

export type SampleRun =
  | { readonly status: "idle" }
  | { readonly status: "running"; readonly events: number; readonly pace: Pace }
  | { readonly status: "failed"; readonly error: unknown };

let run: SampleRun = { status: "idle" };
const listeners = new Set<() => void>();

export function useSampleRun(): SampleRun {
  return useSyncExternalStore(subscribe, () => run);
}

export async function fillWithSample(ledger: Ledger): Promise<void> {
  const startedAt = performance.now();
  tell({ status: "running", events: 0, pace: paceOf(0, SAMPLE_EVENTS, startedAt, startedAt) });
  try {
    await ledger.ingest(sampleBank(), {
      onProgress: ({ events }) =>
        tell({ status: "running", events, pace: paceOf(events, SAMPLE_EVENTS, startedAt, performance.now()) }),
    });
    tell({ status: "idle" });
  } catch (error) {
    tell({ status: "failed", error });
  }
}

/** True if a sample was begun and not finished: the tab was closed or killed meanwhile. */
export async function isSampleUnfinished(ledger: Ledger): Promise<boolean> {
  const [first, last] = await Promise.all([ledger.outcome(FIRST), ledger.outcome(LAST)]);
  return first !== "unknown" && last === "unknown";
}

const FIRST = "sample-2024-01-01";
const LAST = "sample-2025-12-31";

function tell(next: SampleRun): void {
  run = next;
  for (const listener of listeners) listener();
}

function subscribe(listener: () => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}
