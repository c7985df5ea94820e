/** What a worker folds, in the thread of the page: its engine is one on the same database in memory. */
import { afterEach, expect, test, vi } from "vitest";
import type { EngineOptions } from "../../ts/engine.js";
import { projectionQuery } from "../../ts/row-fold.js";
import { indexNames } from "../../ts/row-table.js";
import { serveRebuild } from "../../ts/worker.js";
import type { FoldQuestion, FoldReply, FoldTask } from "../../ts/worker-messages.js";
import { device } from "./device.js";
import { fakeServer } from "./fake-server.js";
import { account, balances, deposited, opened } from "./ledger.js";
import { wasm } from "./wasm-files.js";

vi.mock("../../ts/engine.js", async (original) => {
  const real = await original<typeof import("../../ts/engine.js")>();
  const startEngine = (options: EngineOptions) =>
    real.startEngine(options.storage === "memory" ? options : { ...options, storage: "memory", wasm: () => wasm });
  return { ...real, startEngine };
});

afterEach(() => {
  vi.unstubAllGlobals();
});

/** Asks a worker that has these definitions. */
function worker(definitions: object) {
  let hear: (message: { readonly data: FoldQuestion }) => void = () => {};
  let answered: (reply: FoldReply) => void = () => {};
  vi.stubGlobal("addEventListener", (_: string, listener: typeof hear) => {
    hear = listener;
  });
  vi.stubGlobal("postMessage", (reply: FoldReply) => answered(reply));
  serveRebuild(definitions);
  return (data: FoldQuestion) =>
    new Promise<FoldReply>((resolve) => {
      answered = resolve;
      hear({ data });
    });
}

test("a worker folds what is confirmed, and not what was pending in its place before", async () => {
  const server = fakeServer();
  const one = await device(server);
  await one.store.append("account-a", [opened("Ann")]);
  await one.store.sync.now();
  one.online(false);
  await one.store.append("account-a", [deposited(5)]);
  const ask = worker({ account, balances });
  const { name, version } = balances;
  const task: FoldTask = {
    ...{ name: one.name, durability: "strict", wasm: undefined, module: undefined, inRust: false, generation: 1 },
    ...{ projection: { name, version, indexes: indexNames(balances) }, query: projectionQuery(balances) },
  };
  expect(await ask({ ask: "begin", task })).toEqual({ answer: null });
  expect(await ask({ ask: "advance", until: 1 })).toEqual({ answer: 1 });
  const events = [{ type: "account.opened", schemaVersion: 1, occurredAt: 1, data: { owner: "Bob" } }];
  server.add({ id: "other", streams: [{ streamId: "account-b", events }] });
  one.online(true);
  await one.store.sync.now();

  expect(await ask({ ask: "advance", until: 2 })).toEqual({ answer: 2 });

  const answer = { keys: ["account-a", "account-b"], parts: expect.stringContaining('{"owner":"Ann","balance":0}') };
  expect(await ask({ ask: "parts" })).toEqual({ answer });
});
