/**
 * An engine that stops while it opens or closes a store: what was asked of it ends, and the next call finds a fresh one.
 */
import { afterEach, expect, test, vi } from "vitest";
import { type ConnectionOptions, connect } from "../../ts/connection.js";
import { type Environment, realEnvironment } from "../../ts/environment.js";
import { openStore, openStoreIn } from "../../ts/open.js";
import { release } from "../../ts/release.js";
import type { EngineModule, Store } from "../../ts/types.js";
import { loadModule } from "../../ts/wasm.js";
import { deposited } from "./ledger.js";
import { newDatabase, tab } from "./tab.js";
import { wasm } from "./wasm-files.js";

afterEach(() => {
  vi.unstubAllGlobals();
});

type Question = "open" | "close" | "delete" | "bind";

/** An engine that answers when the test says so, and stops when it says so. */
function scriptedEngine() {
  const asked: { readonly what: Question; answer(): void }[] = [];
  let trap: (reason: string) => void = () => {};
  const ask = <T>(what: Question, answer: T) =>
    new Promise<T>((resolve) => asked.push({ what, answer: () => resolve(answer) }));
  const state = { replicaId: "r", position: 0, journalRecords: 0, confirmed: 0, pending: 0, merges: 0 };
  const core = {
    state: () => JSON.stringify(state),
    closed: () => new Promise(() => {}),
    outcome: async () => "null",
    sync: (name: string) => (name === "bindSync" ? ask("bind", undefined) : new Promise(() => {})),
    close: () => ask("close", undefined),
  };
  const module = {
    default: async () => undefined,
    Definitions: { describe: () => JSON.stringify({ release }) },
    Core: {
      onPanic(callback: typeof trap) {
        trap = callback;
      },
      open: () => ask("open", core),
      deleteStore: () => ask("delete", undefined),
    },
    __wbg_reset_state() {},
  };
  // What is loaded is what every Definitions and Core is: a function.
  const asClass = <T extends object>(statics: T) => Object.assign(() => {}, statics);
  const engine = { ...module, Core: asClass(module.Core), Definitions: asClass(module.Definitions) };
  return {
    load: async () => engine as unknown as EngineModule,
    trap: () => trap("out of memory"),
    /** Waits for the next question. */
    async next(what: Question) {
      const question = await vi.waitFor(() => asked[0] ?? Promise.reject(new Error(`not asked to ${what}`)));
      asked.shift();
      expect(question.what).toBe(what);
      return question;
    },
    asked: () => asked.length,
  };
}

async function connected(engine: ReturnType<typeof scriptedEngine>) {
  const options: ConnectionOptions = {
    core: { name: "traps", storage: "indexeddb", durability: "strict" },
    environment: realEnvironment,
    runtime: await loadModule(engine.load),
    wasm: () => undefined,
    onReopened: () => {},
    onBroken: () => {},
  };
  const connecting = connect(options);
  (await engine.next("open")).answer();
  return connecting;
}

test("a store that is being opened when the engine stops is not, and can be opened again", async () => {
  const engine = scriptedEngine();
  const options = { name: newDatabase(), storage: "memory", engine: engine.load } as const;
  const opening = openStore(options);
  await engine.next("open");
  engine.trap();
  await expect(opening).rejects.toMatchObject({ code: "wasm-failed" });

  const again = openStore(options);
  (await engine.next("open")).answer();
  const store = await again;

  const closing = store.close();
  (await engine.next("close")).answer();
  (await engine.next("delete")).answer();
  await closing;
});

test("an engine that stops just when it has opened a store is not used", async () => {
  const engine = scriptedEngine();
  const opening = openStore({ name: newDatabase(), storage: "memory", engine: engine.load });
  (await engine.next("open")).answer();
  engine.trap();

  await expect(opening).rejects.toMatchObject({ code: "wasm-failed" });
});

test("a store whose engine stops before it is bound to its space is opened all the same", async () => {
  vi.stubGlobal("indexedDB", {});
  const engine = scriptedEngine();
  let opened = 0;
  const environment: Environment = {
    ...realEnvironment,
    coreOpened() {
      opened += 1;
      if (opened === 1) {
        queueMicrotask(engine.trap);
      }
    },
  };
  const sync = { url: "http://localhost/", space: "acme", subject: "ann", token: async () => "" };
  const opening = openStoreIn(environment, { name: newDatabase(), sync, engine: engine.load, onProblem: () => {} });
  (await engine.next("open")).answer();

  (await engine.next("open")).answer();
  (await engine.next("bind")).answer();
  const store = await opening;

  const closing = store.close();
  (await engine.next("close")).answer();
  await closing;
});

test("a call that waits for the database to be opened again outlives a second stop", async () => {
  const engine = scriptedEngine();
  const connection = await connected(engine);
  engine.trap();
  const call = connection.ask((core) => core.outcome("c", ""));
  await engine.next("open");
  engine.trap();

  (await engine.next("open")).answer();

  expect(await call).toBeNull();
});

test("a database that is opened again while its store closes is let go", async () => {
  const engine = scriptedEngine();
  const connection = await connected(engine);
  engine.trap();
  const call = connection.ask((core) => core.outcome("c", ""));
  const ended = expect(call).rejects.toMatchObject({ code: "store-closed" });
  const opening = await engine.next("open");
  await connection.close();

  opening.answer();

  (await engine.next("close")).answer();
  await ended;
});

test.each(["close", "delete"] as const)(
  "closing ends though the engine stops when it was asked to %s",
  async (last) => {
    const engine = scriptedEngine();
    const options = { name: newDatabase(), storage: "memory", engine: engine.load } as const;
    const opening = openStore(options);
    (await engine.next("open")).answer();
    const closing = (await opening).close();
    const question = await engine.next("close");
    if (last === "delete") {
      question.answer();
      await engine.next("delete");
    }
    engine.trap();
    // A fresh one has nothing in memory, and is asked to forget it nevertheless.
    const fresh = last === "close" ? engine.next("delete").then(({ answer }) => answer()) : undefined;

    await closing;
    await fresh;
  },
);

// Last in this file: the instance of the published engine is given up.
test("a store in memory that is opened when another one is lost is not lost with it", async () => {
  const { core } = await tab(newDatabase());
  const injectPanic = (core as unknown as { injectPanic(): void }).injectPanic.bind(core);
  let next: Promise<Store> | undefined;
  await openStore({
    ...{ name: newDatabase(), storage: "memory", wasm },
    onProblem() {
      next ??= openStore({ name: newDatabase(), storage: "memory", wasm }) as Promise<Store>;
    },
  });

  expect(injectPanic).toThrow(WebAssembly.RuntimeError);

  const receipt = await (await next)?.append("account-a", [deposited(1)]);
  expect(receipt).toMatchObject({ version: 1 });
});
