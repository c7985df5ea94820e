/**
 * The one import of this tab. It belongs to the tab, not to a page of it, so that one may look at the
 * bank while it runs.
 */
import { isEverfoldError } from "everfold";
import { useSyncExternalStore } from "react";
import { type Pace, paceOf } from "../shell/pace.ts";
import type { Ledger } from "../store.ts";
import { type ImportProgress, importStatement } from "./import-statement.ts";
import { type Preview, preview } from "./statement.ts";

export type ImportJob =
  | { readonly status: "idle" }
  | { readonly status: "reading"; readonly name: string }
  | { readonly status: "unreadable"; readonly name: string; readonly error: unknown }
  | { readonly status: "preview"; readonly file: File; readonly preview: Preview }
  | { readonly status: "running"; readonly preview: Preview; readonly progress: ImportProgress; readonly pace: Pace }
  | {
      readonly status: "done" | "cancelled";
      readonly preview: Preview;
      readonly progress: ImportProgress;
      readonly seconds: number;
    }
  | {
      readonly status: "failed";
      readonly preview: Preview;
      readonly progress: ImportProgress;
      readonly error: unknown;
    };

let job: ImportJob = { status: "idle" };
let running = new AbortController();
const listeners = new Set<() => void>();

export function useImportJob(): ImportJob {
  return useSyncExternalStore(subscribe, () => job);
}

/** Reads the whole file once and shows what is in it. */
export async function choose(file: File): Promise<void> {
  const { signal } = begin();
  tell({ status: "reading", name: file.name });
  try {
    tell({ status: "preview", file, preview: await preview(file, { signal }) });
  } catch (error) {
    if (!signal.aborted) tell({ status: "unreadable", name: file.name, error });
  }
}

/** Imports the file that was previewed. */
export async function start(ledger: Ledger, file: File, shown: Preview): Promise<void> {
  const { signal } = begin();
  const startedAt = performance.now();
  let progress: ImportProgress = { rows: 0, known: 0, accountsOpened: 0, broken: 0, problems: [] };
  const show = (): void => {
    const pace = paceOf(progress.rows, shown.rows, startedAt, performance.now());
    tell({ status: "running", preview: shown, progress, pace });
  };
  show();
  try {
    progress = await importStatement(ledger, file, {
      signal,
      onProgress: (next) => {
        progress = next;
        show();
      },
    });
    tell({ status: "done", preview: shown, progress, seconds: (performance.now() - startedAt) / 1000 });
  } catch (error) {
    const cancelled = signal.aborted && isEverfoldError(error, "aborted");
    if (cancelled)
      tell({ status: "cancelled", preview: shown, progress, seconds: (performance.now() - startedAt) / 1000 });
    else tell({ status: "failed", preview: shown, progress, error });
  }
}

/** Stops after what is being written now. All that was counted stays. */
export function cancel(): void {
  running.abort();
}

/** Back to choosing a file. */
export function reset(): void {
  running.abort();
  tell({ status: "idle" });
}

function begin(): AbortController {
  running.abort();
  running = new AbortController();
  return running;
}

function tell(next: ImportJob): void {
  job = next;
  for (const listener of listeners) listener();
}

function subscribe(listener: () => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}
