/**
 * Fills an empty ledger with the sample bank, or with a million events. One run a tab, which goes on
 * while pages change.
 *
 * Interrupted, it is simply run again: the days that are there are known by their commit ids.
 */
import { isEverfoldError } from "everfold";
import { useSyncExternalStore } from "react";
import { type DayOfBank, MILLION_EVENTS, millionBank, SAMPLE_EVENTS, sampleBank } from "../sample-bank.ts";
import { type Pace, paceOf } from "../shell/pace.ts";
import type { Ledger } from "../store.ts";

export interface Sample {
  readonly title: string;
  readonly events: number;
  readonly days: () => Iterable<DayOfBank>;
  /** Ids of its first and last commit. */
  readonly first: string;
  readonly last: string;
}

export const SAMPLES: Readonly<Record<"bank" | "million", Sample>> = {
  bank: {
    title: "Filling the sample bank",
    events: SAMPLE_EVENTS,
    days: sampleBank,
    first: "sample-2024-01-01",
    last: "sample-2025-12-31",
  },
  million: {
    title: "Writing a million events",
    events: MILLION_EVENTS,
    days: millionBank,
    first: "sample-2024-01-01-r01",
    last: "sample-2025-12-31-r21",
  },
};

export type SampleRun =
  | { readonly status: "idle" }
  | { readonly status: "running"; readonly sample: Sample; readonly events: number; readonly pace: Pace }
  | { readonly status: "failed"; readonly error: unknown };

let run: SampleRun = { status: "idle" };
let running = new AbortController();
const listeners = new Set<() => void>();

export function useSampleRun(): SampleRun {
  return useSyncExternalStore(subscribe, () => run);
}

export async function fillWithSample(ledger: Ledger, sample: Sample): Promise<void> {
  const startedAt = performance.now();
  running = new AbortController();
  const { signal } = running;
  const show = (events: number, known: number): void => {
    // What was there already says nothing about how fast the rest goes.
    const pace = paceOf(events - known, sample.events - known, startedAt, performance.now());
    tell({ status: "running", sample, events, pace });
  };
  show(0, 0);
  try {
    await locked({ ifAvailable: true }, () =>
      ledger.ingest(sample.days(), {
        signal,
        onProgress: ({ events, knownEvents }) => show(events, knownEvents),
      }),
    );
    tell({ status: "idle" });
  } catch (error) {
    tell(signal.aborted && isEverfoldError(error, "aborted") ? { status: "idle" } : { status: "failed", error });
  }
}

/** Stops after what is being written now. All that was counted stays. */
export function cancelSample(): void {
  running.abort();
}

/**
 * The sample that was begun and not finished, if there is one: it was cancelled, or the tab was closed or killed.
 * While a tab writes one, this waits: it may come to its end.
 */
export function unfinishedSample(ledger: Ledger): Promise<Sample | undefined> {
  return locked({ mode: "shared" }, () => unfinishedIn(ledger));
}

async function unfinishedIn(ledger: Ledger): Promise<Sample | undefined> {
  for (const sample of Object.values(SAMPLES)) {
    const [first, last] = await Promise.all([ledger.outcome(sample.first), ledger.outcome(sample.last)]);
    if (first !== "unknown" && last === "unknown") return sample;
  }
  return undefined;
}

/** A tab holds the lock while it writes. Where a browser offers none, no tab knows of another. */
function locked<T>(options: LockOptions, work: () => Promise<T>): Promise<T> {
  return navigator.locks ? navigator.locks.request("sample", options, work) : work();
}

function tell(next: SampleRun): void {
  run = next;
  for (const listener of listeners) listener();
}

function subscribe(listener: () => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}
