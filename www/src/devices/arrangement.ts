/**
 * How many devices there are, which of them are switched offline, and the space that they share: kept
 * across reloads, and the same in every tab.
 */
import { useSyncExternalStore } from "react";
import { DEVICES, type Device } from "./device.ts";

export interface Arrangement {
  readonly space: string;
  readonly count: number;
  readonly offline: readonly Device["key"][];
  /** True once a device has been filled: from then on the page works without the server too. */
  readonly used: boolean;
}

const KEY = "devices";
const FIRST: Arrangement = { space: "household", count: 2, offline: [], used: false };

let read: { readonly text: string | null; readonly arrangement: Arrangement } = { text: null, arrangement: FIRST };
const listeners = new Set<() => void>();

export function arrangement(): Arrangement {
  const text = localStorage.getItem(KEY);
  if (text !== read.text) read = { text, arrangement: text === null ? FIRST : { ...FIRST, ...JSON.parse(text) } };
  return read.arrangement;
}

export function useArrangement(): Arrangement {
  return useSyncExternalStore(onArrangementChange, arrangement);
}

export function onArrangementChange(changed: () => void): () => void {
  listeners.add(changed);
  addEventListener("storage", changed);
  return () => {
    listeners.delete(changed);
    removeEventListener("storage", changed);
  };
}

export function isOffline({ key }: Device): boolean {
  return arrangement().offline.includes(key);
}

export function switchDevice({ key }: Device, state: "online" | "offline"): void {
  const others = arrangement().offline.filter((other) => other !== key);
  change({ offline: state === "offline" ? [...others, key] : others });
}

export function addDevice(): void {
  change({ count: Math.min(arrangement().count + 1, DEVICES.length) });
}

export function markUsed(): void {
  if (!arrangement().used) change({ used: true });
}

/** Two devices online in a space that nobody has used. */
export function startOver(): void {
  change({ ...FIRST, space: `household-${crypto.randomUUID().slice(0, 8)}` });
}

function change(changed: Partial<Arrangement>): void {
  localStorage.setItem(KEY, JSON.stringify({ ...arrangement(), ...changed }));
  for (const listener of listeners) listener();
}
