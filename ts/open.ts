/**
 * `openStore` and `deleteStore`.
 *
 * One engine for each name in a page: every further `openStore` makes a handle on it, and the last
 * `close` closes it.
 */
import type { AnyAggregate } from "./aggregate.js";
import type { CoreState } from "./core.js";
import type { AnyDecision } from "./decision.js";
import { type Engine, type EngineOptions, startEngine } from "./engine.js";
import { type Environment, realEnvironment } from "./environment.js";
import {
  checkFunctions,
  checkOptions,
  EverfoldError,
  errorFromCore,
  invalidArgument,
  isEverfoldError,
} from "./errors.js";
import { fetchTools, tools } from "./parts.js";
import type { AnyProjection } from "./projection.js";
import { type Definitions, storeHandle } from "./store.js";
import { checkId } from "./stream-id.js";
import { type CheckedSync, checkSync, isSameSync } from "./sync/options.js";
import type { StorageOptions, Store, StoreOptions } from "./types.js";
import { loadModule, publishedRuntime, type WasmRuntime } from "./wasm.js";

/** An engine with the handles on it. */
interface Opened {
  readonly engine: Promise<Engine>;
  readonly storage: "indexeddb" | "memory";
  readonly durability: "strict" | "relaxed";
  readonly sync: CheckedSync | undefined;
  readonly runtime: WasmRuntime;
  handles: number;
  /** Set once the last handle, or `deleteStore`, closes it. */
  closing: Promise<void> | undefined;
}

const openedByName = new Map<string, Opened>();

/**
 * Opens a store, or makes another handle on one that is open in this page.
 *
 * Rejects with `storage-unavailable` where there is no IndexedDB (ask for `"memory"` by name), with
 * `store-blocked` when another tab holds an older version open, with `storage-newer` for a database
 * that a later release wrote.
 */
export function openStore<
  const As extends readonly AnyAggregate[] = readonly [],
  const Ds extends readonly AnyDecision[] = readonly [],
  const Ps extends readonly AnyProjection[] = readonly [],
>(options: StoreOptions<As, Ds, Ps>): Promise<Store<As, Ds, Ps>> {
  return openStoreIn(realEnvironment, options);
}

/** As `openStore`, with a clock and ids of one's own; for `everfold/testing`. */
export async function openStoreIn<
  const As extends readonly AnyAggregate[] = readonly [],
  const Ds extends readonly AnyDecision[] = readonly [],
  const Ps extends readonly AnyProjection[] = readonly [],
>(environment: Environment, options: StoreOptions<As, Ds, Ps>): Promise<Store<As, Ds, Ps>> {
  const definitions = checkDefinitions(options);
  const { engine, wasm } = options;
  const checked = checkStorage(options);
  const { name } = checked;
  const runtime = engine && (await loadModule(engine));
  const opened = await engineFor({ ...checked, wasm: () => wasm, environment }, runtime);
  const release = async () => {
    opened.handles -= 1;
    if (opened.handles === 0) {
      await shut(name, opened);
    }
  };
  try {
    return storeHandle(await opened.engine, definitions, release) as unknown as Store<As, Ds, Ps>;
  } catch (error) {
    await release();
    throw error;
  }
}

/** The engine knows its own files. */
const byItself = () => undefined;

/**
 * Deletes a store with everything in it; other tabs' handles on it are closed. A store that is not
 * there is no error. Rejects with `pending-work` if commits wait for the server, and with why it could not be opened
 * if that cannot be seen now or by this release (`storage-newer`), unless told otherwise.
 */
export async function deleteStore(name: string, options: { readonly evenIfPending?: boolean } = {}): Promise<void> {
  const { evenIfPending = false } = checkOptions(options);
  checkId(name, "name");
  const opened = openedByName.get(name);
  const storage = opened?.storage ?? "indexeddb";
  checkAvailable(storage);
  const runtime = opened?.runtime ?? publishedRuntime;
  const pending = evenIfPending ? 0 : await pendingIn(name, opened, runtime);
  if (pending > 0) {
    throw new EverfoldError(
      "pending-work",
      `${pending} commits of ${JSON.stringify(name)} wait for the server: sync first, or delete it evenIfPending`,
      { pending },
    );
  }
  // Handles in this page are closed as those in other tabs are: by force.
  if (opened !== undefined) {
    await shut(name, opened).catch(() => undefined);
  }
  await deleteIn(runtime, name, storage);
}

async function deleteIn(runtime: WasmRuntime, name: string, storage: "indexeddb" | "memory"): Promise<void> {
  try {
    await runtime.ask(byItself, ({ Core }) => Core.deleteStore(name, storage));
  } catch (thrown) {
    runtime.noteThrown(thrown);
    throw errorFromCore(thrown);
  }
}

/** Commits that wait for the server. In a damaged store nobody can tell: then none. */
async function pendingIn(name: string, opened: Opened | undefined, runtime: WasmRuntime): Promise<number> {
  try {
    if (opened !== undefined) {
      const { commits, log } = await opened.engine;
      // Calls under way may make more of them, and so may other tabs.
      await commits.settled();
      try {
        await log.catchUp();
      } catch (error) {
        // One that is closed has nothing to add to what it knew.
        if (await isUsable(opened)) {
          throw error;
        }
      }
      return log.pending();
    }
    const core = await runtime.ask(byItself, ({ Core }) =>
      Core.open({
        ...{ name, storage: "indexeddb", durability: "relaxed" },
        ...{ replicaId: realEnvironment.newId(), now: realEnvironment.now() },
      }),
    );
    try {
      return (JSON.parse(core.state()) as CoreState).pending;
    } finally {
      await runtime.untilTrap(core.close());
    }
  } catch (thrown) {
    runtime.noteThrown(thrown);
    const error = errorFromCore(thrown);
    if (error.code === "storage-corrupt") {
      return 0;
    }
    throw error;
  }
}

async function engineFor(options: Omit<EngineOptions, "runtime">, own: WasmRuntime | undefined): Promise<Opened> {
  const { name, storage, durability, sync } = options;
  for (;;) {
    const opened = openedByName.get(name);
    if (opened === undefined) {
      break;
    }
    if (opened.closing !== undefined) {
      await opened.closing.catch(() => undefined);
      continue;
    }
    const differs = {
      storage: opened.storage !== storage,
      durability: opened.durability !== durability,
      sync: sync !== undefined && !isSameSync(opened.sync, sync),
    };
    for (const argument of Object.keys(differs).filter((key) => differs[key as keyof typeof differs])) {
      throw invalidArgument(argument, `the store ${JSON.stringify(name)} is open in this page with other ${argument}`);
    }
    if (own !== undefined && own !== opened.runtime) {
      throw invalidArgument("engine", `the store ${JSON.stringify(name)} is open in this page with another engine`);
    }
    const usable = await isUsable(opened);
    // It may have been closed meanwhile.
    if (usable && opened.closing === undefined) {
      opened.handles += 1;
      return opened;
    }
    if (!usable && openedByName.get(name) === opened) {
      openedByName.delete(name);
    }
  }
  checkAvailable(storage);
  const runtime = own ?? publishedRuntime;
  const engine = startEngine({ ...options, runtime });
  const opened: Opened = { engine, storage, durability, sync, runtime, handles: 1, closing: undefined };
  openedByName.set(name, opened);
  try {
    const started = await engine;
    started.idle.afterStart("parts", fetchTools);
    started.idle.afterStart("orphans", async () => (await tools()).dropOrphans(started));
  } catch (error) {
    openedByName.delete(name);
    throw error;
  }
  return opened;
}

/** Not if it did not open, if another tab deleted the database or if the engine is dead. */
async function isUsable({ engine }: Opened): Promise<boolean> {
  try {
    (await engine).check();
    return true;
  } catch {
    return false;
  }
}

/** Closes an engine, once; a store in memory is forgotten with it. */
function shut(name: string, opened: Opened): Promise<void> {
  opened.closing ??= (async () => {
    try {
      await (await opened.engine).close();
      if (opened.storage === "memory") {
        await deleteIn(opened.runtime, name, "memory").catch(goneWithEngine);
      }
    } finally {
      if (openedByName.get(name) === opened) {
        openedByName.delete(name);
      }
    }
  })();
  return opened.closing;
}

/** What an engine that traps, or is dead, had in memory is gone. */
function goneWithEngine(error: unknown): void {
  if (!isEverfoldError(error, "wasm-failed")) {
    throw error;
  }
}

function checkStorage(options: StorageOptions) {
  const { name, storage = "indexeddb", durability = "strict", sync } = options;
  checkId(name, "name");
  if (storage !== "indexeddb" && storage !== "memory") {
    throw invalidArgument("storage", `storage is ${String(storage)}, must be "indexeddb" or "memory"`);
  }
  if (durability !== "strict" && durability !== "relaxed") {
    throw invalidArgument("durability", `durability is ${String(durability)}, must be "strict" or "relaxed"`);
  }
  return { name, storage, durability, sync: sync === undefined ? undefined : checkSync(sync) };
}

function checkAvailable(storage: "indexeddb" | "memory"): void {
  if (storage === "indexeddb" && typeof indexedDB === "undefined") {
    const reason = "there is no IndexedDB here";
    throw new EverfoldError("storage-unavailable", `${reason}; for tests and servers ask for storage: "memory"`, {
      reason,
    });
  }
}

function checkDefinitions(options: StoreOptions): Definitions {
  if (typeof options !== "object" || options === null) {
    throw invalidArgument("options", "openStore takes an object of options");
  }
  const { aggregates = [], decisions = [], projections = [], reactors = [], onProblem, onRebuildStart } = options;
  if (!Array.isArray(reactors) || reactors.length > 0) {
    throw invalidArgument("reactors", "reactors come in a later release");
  }
  checkFunctions({ onProblem, onRebuildStart, engine: options.engine });
  checkList("aggregates", "aggregate", aggregates);
  checkList("decisions", "decision", decisions);
  checkList("projections", "projection", projections);
  checkNames("aggregates", [...aggregates, ...decisions]);
  checkNames("projections", projections);
  for (const { name, from = [] } of projections) {
    const missing = from.find((aggregate) => !aggregates.includes(aggregate));
    if (missing !== undefined) {
      throw invalidArgument(
        "aggregates",
        `projection ${JSON.stringify(name)} reads aggregate ${JSON.stringify(missing.name)}, which is not registered`,
      );
    }
  }
  return { aggregates, decisions, projections, onProblem, onRebuildStart };
}

function checkList(argument: string, kind: string, list: readonly unknown[]): void {
  const isKind = (entry: unknown) => (entry as { readonly kind?: unknown } | null)?.kind === kind;
  if (!Array.isArray(list) || !list.every(isKind)) {
    throw invalidArgument(
      argument,
      `${argument} must be a list of what define${kind[0]?.toUpperCase()}${kind.slice(1)} returns`,
    );
  }
}

function checkNames(argument: string, definitions: readonly { readonly name: string }[]): void {
  const names = new Set<string>();
  for (const { name } of definitions) {
    if (names.has(name)) {
      throw invalidArgument(argument, `${JSON.stringify(name)} is registered twice`);
    }
    names.add(name);
  }
}
