/**
 * A connection to the core that outlives instances and database connections.
 *
 * Every call of the core goes through `call`, which turns what it rejects with into `EverfoldError`s,
 * rejects calls under way when the instance traps (their own promises would never settle), and opens
 * again after a trap or when the browser closed the database. What a call under way has written then
 * is unknown, and is for its caller to find out.
 */
import type { Core, CoreOptions, CoreState } from "./core.js";
import type { Environment } from "./environment.js";
import { EverfoldError, errorFromCore } from "./errors.js";
import { withPartFailure } from "./parts.js";
import type { WasmRuntime, WasmSource } from "./wasm.js";

export interface ConnectionOptions {
  readonly core: Pick<CoreOptions, "name" | "storage" | "durability">;
  readonly environment: Pick<Environment, "newId" | "now" | "coreOpened">;
  readonly runtime: WasmRuntime;
  readonly wasm: () => WasmSource;
  /** The connection was opened again: whatever is kept in memory may be out of date. */
  readonly onReopened: (state: CoreState) => void;
  /** The connection broke; calls go on if it can be opened again. */
  readonly onBroken: (error: EverfoldError) => void;
}

export interface Connection {
  /** As it was when the connection was opened first. */
  readonly state: CoreState;
  /** Throws if the connection is gone for good. */
  check(): void;
  call<T>(use: (core: Core) => Promise<T>): Promise<T>;
  /** As `call`, for answers that are JSON texts. */
  ask<T>(use: (core: Core) => Promise<string>): Promise<T>;
  /** Calls afterwards reject with `store-closed`. */
  close(): Promise<void>;
}

/** Safari keeps failing in the same page once its storage process is gone; a reload helps. */
const reopenDelaysMs = [0, 100, 500, 2_000];

/** One instance counts fewer. */
const mergesAtMost = 2 ** 32;

/** Opens the store's database and keeps it open. */
export async function connect(options: ConnectionOptions): Promise<Connection> {
  const { name, storage } = options.core;
  const underWay = new Set<(error: EverfoldError) => void>();
  let core: Core | undefined;
  let opening: Promise<Core> | undefined;
  let ended: EverfoldError | undefined;
  let traps = 0;
  let timesOpened = 0;

  const { runtime, wasm, environment } = options;
  const stopWatching = runtime.watchTraps((error) => {
    core = undefined;
    traps += 1;
    // Memory storage went with the instance: going on would look like a store that lost its events.
    if (runtime.isDead() || storage === "memory") {
      ended = error;
    }
    failCallsUnderWay(error);
    options.onBroken(error);
  });

  function asError(thrown: unknown): EverfoldError {
    runtime.noteThrown(thrown);
    return withPartFailure(errorFromCore(thrown));
  }

  if (storage === "indexeddb") {
    void wakeStorage();
  }
  let state: CoreState | undefined;
  try {
    [, state] = await openCore();
  } catch (thrown) {
    stopWatching();
    throw asError(thrown);
  }

  async function openCore(): Promise<readonly [Core, CoreState]> {
    const before = traps;
    const merges = timesOpened * mergesAtMost;
    timesOpened += 1;
    const [replicaId, now] = [environment.newId(), environment.now()];
    const opened = await runtime.ask(wasm, ({ Core }) => Core.open({ ...options.core, replicaId, now, merges }));
    if (traps > before) {
      throw new EverfoldError("wasm-failed", "the engine stopped while the store was being opened", {});
    }
    if (ended !== undefined) {
      // Closed meanwhile: nobody else will let go of it.
      await runtime.untilTrap(opened.close());
      throw ended;
    }
    environment.coreOpened?.(opened);
    const found = JSON.parse(opened.state()) as CoreState;
    if (state !== undefined && found.replicaId !== state.replicaId) {
      // To go on would be to write what nobody sends, into a log that seems to have lost everything.
      ended = storeClosed(name, "the browser deleted it");
      await runtime.untilTrap(opened.close());
      throw ended;
    }
    void opened.closed().then((reason) => onClosed(opened, reason), runtime.noteThrown);
    core = opened;
    return [opened, found];
  }

  function onClosed(which: Core, reason: string): void {
    if (which !== core) {
      return;
    }
    core = undefined;
    if (reason === "versionchange") {
      ended = storeClosed(name, "another tab deleted or upgraded the store");
      options.onBroken(ended);
    } else {
      options.onBroken(new EverfoldError("storage-unavailable", "the browser closed the database", { reason }));
    }
  }

  async function reopen(): Promise<Core> {
    for (const [attempt, delay] of reopenDelaysMs.entries()) {
      if (delay > 0) {
        await new Promise((resolve) => setTimeout(resolve, delay));
      }
      if (ended !== undefined) {
        break;
      }
      try {
        const [reopened, found] = await openCore();
        options.onReopened(found);
        return reopened;
      } catch (thrown) {
        const error = asError(thrown);
        if (attempt === reopenDelaysMs.length - 1 || runtime.isDead()) {
          ended = error;
        }
      }
    }
    throw ended;
  }

  function failCallsUnderWay(error: EverfoldError): void {
    for (const reject of underWay) {
      reject(error);
    }
    underWay.clear();
  }

  function run<T>(on: Core, use: (core: Core) => Promise<T>): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      const fail = (thrown: unknown) => {
        underWay.delete(fail);
        reject(asError(thrown));
      };
      underWay.add(fail);
      try {
        use(on).then((value) => {
          underWay.delete(fail);
          resolve(value);
        }, fail);
      } catch (thrown) {
        fail(thrown);
      }
    });
  }

  function call<T>(use: (core: Core) => Promise<T>): Promise<T> {
    if (ended !== undefined) {
      return Promise.reject(ended);
    }
    if (core !== undefined) {
      return run(core, use);
    }
    opening ??= reopen().finally(() => {
      opening = undefined;
    });
    return opening.then((reopened) => run(reopened, use));
  }

  return {
    state,
    call,
    check() {
      if (ended !== undefined) {
        throw ended;
      }
    },
    ask: async <T>(use: (core: Core) => Promise<string>) => JSON.parse(await call(use)) as T,
    async close() {
      const last = core;
      core = undefined;
      ended = storeClosed(name);
      stopWatching();
      try {
        await (last && runtime.untilTrap(last.close()));
      } catch (thrown) {
        const error = asError(thrown);
        // With the instance went what it held.
        if (error.code !== "wasm-failed") {
          throw error;
        }
      } finally {
        failCallsUnderWay(ended);
      }
    },
  };
}

/** The error of every call after `close`. */
export function storeClosed(name: string, reason?: string): EverfoldError<"store-closed"> {
  return new EverfoldError(
    "store-closed",
    `the store ${JSON.stringify(name)} is closed${reason === undefined ? "" : `: ${reason}`}`,
    reason === undefined ? { name } : { name, reason },
  );
}

/** The browser opens its own database for a site when it is first asked: it may do so while the engine is loaded. */
async function wakeStorage(): Promise<void> {
  try {
    await indexedDB.databases();
  } catch {
    // Whoever opens the store hears why it cannot be had.
  }
}
