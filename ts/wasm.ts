/**
 * Engines in wasm, each loaded once a page, and what happens when one traps.
 *
 * A page has the published engine, and perhaps modules of its own with definitions written in Rust.
 * A trap leaves memory half changed and promises that never settle, so the whole instance is given
 * up: everyone who uses it hears of it, and the next one to ask gets a fresh instance. All durable
 * truth is in IndexedDB. Three traps within a minute mean that starting afresh does not help: then
 * the engine is dead for as long as the page lives, as is at once one whose glue cannot start afresh.
 *
 * The only file that knows the generated glue.
 */
import init, { __wbg_reset_state, Core, partBuild, partImports } from "../pkg/everfold.js";
import type { CoreDefinitionList } from "./core/definitions.js";
import type { CoreModule } from "./core/module.js";
import { EverfoldError, invalidArgument } from "./errors.js";
import { hostParts, type PartImports } from "./parts.js";
import { release } from "./release.js";
import type { EngineModule, StorageOptions, WasmFile, WasmFiles } from "./types.js";
import { wasmFile } from "./wasm-file.js";

/** Where the wasm comes from; undefined: from where this package, or the glue of a module of the app's own, knows it to be. */
export type WasmSource = StorageOptions["wasm"];

const trapsAllowed = 3;
const trapWindowMs = 60_000;

/** One engine of the page. */
export interface WasmRuntime {
  /** Its classes, of a fresh instance if the last one trapped. Only the first call's `source` counts. */
  load(source: () => WasmSource): Promise<CoreModule>;
  /** Calls what answers at once. Throws `wasm-failed` if the instance traps, and what the engine throws otherwise. */
  now<T>(use: (module: CoreModule) => T): T;
  /** Calls `watcher` when the instance traps. Returns what ends that. */
  watchTraps(watcher: (error: EverfoldError) => void): () => void;
  /** As `load`, and asks the instance. Rejects with `wasm-failed` if it traps first, as no answer comes then. */
  ask<T>(source: () => WasmSource, use: (module: CoreModule) => Promise<T>): Promise<T>;
  /** An answer of the instance that runs now; rejects as `ask`. */
  untilTrap<T>(answer: Promise<T>): Promise<T>;
  /** Whether it will not be started again. */
  isDead(): boolean;
  /** To be told of whatever a call of the engine threw: a trap ends the instance. */
  noteThrown(thrown: unknown): void;
}

/** The engine of this package. */
export const publishedRuntime = runtimeOf(
  { default: init, Core, __wbg_reset_state } as unknown as CoreModule,
  wasmFile,
);

const runtimes = new WeakMap<object, WasmRuntime>();

/** The engine of the app's own that `load` imports. */
export async function loadModule(load: () => Promise<EngineModule>): Promise<WasmRuntime> {
  let module: EngineModule;
  try {
    module = await load();
  } catch (cause) {
    throw notLoaded(cause);
  }
  const { default: start, Core: core, Definitions } = (module ?? {}) as Partial<EngineModule>;
  if (![start, core, Definitions].every((part) => typeof part === "function")) {
    throw invalidArgument("engine", 'engine must import what `everfold::module!` made: `() => import("./pkg")`');
  }
  let runtime = runtimes.get(module);
  if (runtime === undefined) {
    runtime = runtimeOf(module as unknown as CoreModule);
    runtimes.set(module, runtime);
  }
  return runtime;
}

/** With the place of its files, if it has parts. */
function runtimeOf(module: CoreModule, place?: (name: keyof WasmFiles) => WasmFile): WasmRuntime {
  const watchers = new Set<(error: EverfoldError) => void>();
  const trapTimes: number[] = [];
  let loading: Promise<void> | undefined;
  let trapped: EverfoldError | undefined;

  const isDead = () => trapTimes.length >= (module.__wbg_reset_state === undefined ? 1 : trapsAllowed);

  async function instantiate(source: WasmSource): Promise<void> {
    try {
      const core = coreFile(source) ?? place?.("core");
      await module.default(core && { module_or_path: core });
    } catch (cause) {
      throw notLoaded(cause);
    }
    if (place !== undefined) {
      hostParts({
        build: partBuild,
        imports: partImports as () => PartImports,
        source: (name) => (areFiles(source) ? source[name] : place(name)),
      });
    }
    refuseOtherRelease(module);
    module.Core.onPanic(onTrap);
    // A trap that is no panic (memory used up) in a microtask or an IndexedDB handler reaches no caller.
    if (typeof addEventListener === "function") {
      addEventListener("error", (event) => noteUncaught(event.error));
      addEventListener("unhandledrejection", (event) => noteUncaught(event.reason));
    }
  }

  /** Starts afresh if the last instance trapped. */
  function revive(): CoreModule {
    if (trapped !== undefined) {
      if (isDead()) {
        throw trapped;
      }
      module.__wbg_reset_state?.();
      trapped = undefined;
      module.Core.onPanic(onTrap);
    }
    return module;
  }

  function noteThrown(thrown: unknown): void {
    if (thrown instanceof WebAssembly.RuntimeError) {
      onTrap(thrown.message, thrown);
    }
  }

  function noteUncaught(thrown: unknown): void {
    // Another library's wasm may trap too; only a stack through our glue or file is ours.
    if (thrown instanceof WebAssembly.RuntimeError && thrown.stack?.includes("everfold")) {
      onTrap(thrown.message, thrown);
    }
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
    for (const watcher of [...watchers]) {
      watcher(trapped);
    }
  }

  function watchTraps(watcher: (error: EverfoldError) => void): () => void {
    watchers.add(watcher);
    return () => watchers.delete(watcher);
  }

  async function loaded(source: () => WasmSource): Promise<void> {
    if (loading === undefined) {
      loading = instantiate(source());
      loading.catch(() => {
        loading = undefined;
      });
    }
    await loading;
  }

  function untilTrap<T>(answer: Promise<T>): Promise<T> {
    let stop = () => {};
    const trap = new Promise<never>((_, reject) => {
      stop = watchTraps(reject);
    });
    return Promise.race([answer, trap]).finally(stop);
  }

  return {
    async load(source) {
      await loaded(source);
      return revive();
    },
    async ask(source, use) {
      await loaded(source);
      // At once: what is asked of an instance that has trapped is never answered.
      return untilTrap(use(revive()));
    },
    now(use) {
      try {
        return use(revive());
      } catch (thrown) {
        noteThrown(thrown);
        throw trapped ?? thrown;
      }
    },
    watchTraps,
    untilTrap,
    isDead,
    noteThrown,
  };
}

/** The classes of an engine change from release to release: one of another release would fail in ways that nobody understands. */
function refuseOtherRelease({ Definitions }: CoreModule): void {
  if (Definitions === undefined) {
    return;
  }
  const built = (JSON.parse(Definitions.describe()) as CoreDefinitionList).release;
  if (built !== release) {
    throw invalidArgument(
      "engine",
      `engine was built with ${built === undefined ? "an earlier version" : `version ${built}`} of the crate everfold, this package is ${release}: build it with that one`,
    );
  }
}

/** The first file of a source. */
export function coreFile(source: WasmSource): WasmFile | undefined {
  return areFiles(source) ? source.core : source;
}

function areFiles(source: WasmSource): source is WasmFiles {
  return source !== undefined && "core" in source;
}

export function notLoaded(cause: unknown): EverfoldError<"wasm-failed"> {
  const reason = cause instanceof Error ? cause.message : String(cause);
  return new EverfoldError("wasm-failed", `the engine could not be loaded: ${reason}`, { reason }, { cause });
}
