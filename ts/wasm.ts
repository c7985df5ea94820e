/**
 * The wasm core, loaded once a page, and what happens when it traps.
 *
 * A trap leaves memory half changed and promises that never settle, so the whole instance is given
 * up: everyone who uses it hears of it, and the next one to ask gets a fresh instance. All durable
 * truth is in IndexedDB. Three traps within a minute mean that starting afresh does not help: then
 * the core is dead for as long as the page lives.
 *
 * The only file that knows the generated glue.
 */
import init, { __wbg_reset_state, Core } from "../pkg/everfold.js";
import type { CoreClass } from "./core.js";
import { EverfoldError } from "./errors.js";
import type { StorageOptions } from "./types.js";

/** Where the wasm comes from. */
export type WasmSource = NonNullable<StorageOptions["wasm"]>;

const trapsAllowed = 3;
const trapWindowMs = 60_000;

const core = Core as unknown as CoreClass;
const watchers = new Set<(error: EverfoldError) => void>();
const trapTimes: number[] = [];
let loading: Promise<CoreClass> | undefined;
let trapped: EverfoldError | undefined;

/** The core, of a fresh instance if the last one trapped. Only the first call's `source` counts. */
export async function loadCore(source: () => WasmSource): Promise<CoreClass> {
  if (loading === undefined) {
    loading = instantiate(source);
    loading.catch(() => {
      loading = undefined;
    });
  }
  await loading;
  if (trapped !== undefined) {
    if (isDead()) {
      throw trapped;
    }
    __wbg_reset_state();
    trapped = undefined;
    core.onPanic(onPanic);
  }
  return core;
}

/** Calls `watcher` when the instance traps. Returns what ends that. */
export function watchTraps(watcher: (error: EverfoldError) => void): () => void {
  watchers.add(watcher);
  return () => watchers.delete(watcher);
}

/** Whether it trapped too often to be started again. */
export function isDead(): boolean {
  return trapTimes.length >= trapsAllowed;
}

/** To be told of whatever a call of the core threw: a trap ends the instance. */
export function noteThrown(thrown: unknown): void {
  if (thrown instanceof WebAssembly.RuntimeError) {
    onTrap(thrown.message, thrown);
  }
}

async function instantiate(source: () => WasmSource): Promise<CoreClass> {
  try {
    await init({ module_or_path: source() });
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new EverfoldError("wasm-failed", `the engine could not be loaded: ${reason}`, { reason }, { cause });
  }
  core.onPanic(onPanic);
  // A trap that is no panic (memory used up) in a microtask or an IndexedDB handler reaches no caller.
  if (typeof addEventListener === "function") {
    addEventListener("error", (event) => noteUncaught(event.error));
    addEventListener("unhandledrejection", (event) => noteUncaught(event.reason));
  }
  return core;
}

function noteUncaught(thrown: unknown): void {
  // Another library's wasm may trap too; only a stack through our glue or file is ours.
  if (thrown instanceof WebAssembly.RuntimeError && thrown.stack?.includes("everfold")) {
    onTrap(thrown.message, thrown);
  }
}

function onPanic(message: string): void {
  onTrap(message);
}

/** A panic is heard of twice, from its hook and as the trap that follows: the second time nothing is left to do. */
function onTrap(reason: string, cause?: unknown): void {
  if (trapped !== undefined) {
    return;
  }
  const now = Date.now();
  while (trapTimes[0] !== undefined && trapTimes[0] < now - trapWindowMs) {
    trapTimes.shift();
  }
  trapTimes.push(now);
  const fate = isDead() ? "and will not be started again: reload the page" : "and is started afresh";
  trapped = new EverfoldError("wasm-failed", `the engine stopped ${fate}: ${reason}`, { reason }, { cause });
  for (const watcher of watchers) {
    watcher(trapped);
  }
}
