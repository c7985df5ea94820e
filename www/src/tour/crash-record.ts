/**
 * What was begun and what was acknowledged before a crash, and what the ledger holds after it.
 *
 * The record is written to the session's storage, which survives the reload, at the moment of the
 * kill. It is evidence from outside the store: the store is asked only afterwards.
 */
import { account } from "../ledger.ts";
import type { Ledger } from "../store.ts";

export interface CrashRecord {
  readonly run: string;
  readonly from: string;
  readonly to: string;
  readonly begun: readonly string[];
  readonly acknowledged: readonly string[];
}

export interface Findings {
  readonly acknowledged: number;
  /** Acknowledged and there, on both accounts. */
  readonly found: number;
  /** Begun, never acknowledged, and there as a whole: the kill came between the disk and the message. */
  readonly foundUnacknowledged: number;
  /** On one of the two accounts only. Must be none. */
  readonly halves: number;
}

const PLACE = "crash";

export function keepRecord(record: CrashRecord): void {
  sessionStorage.setItem(PLACE, JSON.stringify(record));
}

export function hasCrashed(): boolean {
  return sessionStorage.getItem(PLACE) !== null;
}

export function keptRecord(): CrashRecord | null {
  const text = sessionStorage.getItem(PLACE);
  return text === null ? null : (JSON.parse(text) as CrashRecord);
}

export function forgetRecord(): void {
  sessionStorage.removeItem(PLACE);
}

/** Looks into the two accounts, event by event. */
export async function examine(ledger: Ledger, { run, from, to, acknowledged }: CrashRecord): Promise<Findings> {
  const sides = new Map<string, number>();
  for (const id of [from, to]) {
    for await (const { commitId } of ledger.read({ streamId: account.ref(id).streamId })) {
      if (commitId.startsWith(`crash-${run}-`)) sides.set(commitId, (sides.get(commitId) ?? 0) + 1);
    }
  }
  const whole = [...sides].filter(([, count]) => count === 2).map(([commitId]) => commitId);
  const told = new Set(acknowledged);
  return {
    acknowledged: told.size,
    found: whole.filter((commitId) => told.has(commitId)).length,
    foundUnacknowledged: whole.filter((commitId) => !told.has(commitId)).length,
    halves: sides.size - whole.length,
  };
}
