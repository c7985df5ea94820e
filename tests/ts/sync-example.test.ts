// The example of `SyncOptions` is run as it stands: only the storage is memory, and the server is the tests' own.
import { readFileSync } from "node:fs";
import { transform } from "esbuild";
import { afterEach, expect, test, vi } from "vitest";
import { deleteStore, openStore } from "../../ts/open.js";
import { fakeServer } from "./fake-server.js";
import { account, deposit } from "./ledger.js";
import { tab } from "./tab.js";
import { wasm } from "./wasm-files.js";

afterEach(() => vi.unstubAllGlobals());

test("the example of sync runs, and its commit is confirmed", async () => {
  const source = readFileSync(new URL("../../ts/types/syncing.ts", import.meta.url), "utf8");
  const [, commented = ""] = /as whom\.\n \*\n \* ```ts\n([\s\S]*?) \* ```/.exec(source) ?? [];
  const example = commented
    .replace(/^ \* ?/gm, "")
    .replace('name: "ledger",', 'name: "ledger", storage: "memory", wasm,');
  const { code } = await transform(`(async () => { ${example}\n return { store, changed }; })()`, { loader: "ts" });
  const server = fakeServer();
  vi.stubGlobal("fetch", server.fetch);

  const run = new Function("openStore", "account", "deposit", "signIn", "wasm", `return ${code}`);
  const { store, changed } = await run(openStore, account, deposit, () => "token", wasm);

  expect(changed).toBe(false);
  expect(server.commits).toMatchObject([{ subject: "ann", streams: [{ streamId: "account-1" }] }]);
  await store.close();
});

test("a store with pending work is not deleted unless it is said to", async () => {
  vi.stubGlobal("fetch", () => Promise.reject(new TypeError("no network")));
  const sync = { url: "https://sync.example.com", space: "acme", subject: "ann", token: () => "token" };
  const store = await openStore({ name: "kept", storage: "memory", wasm, aggregates: [account], sync, onProblem() {} });
  await store.execute(account, "1", deposit(1));

  await expect(deleteStore("kept")).rejects.toMatchObject({ code: "pending-work", details: { pending: 1 } });
  expect((await store.load(account, "1")).version).toBe(1);
  await deleteStore("kept", { evenIfPending: true });
  await expect(store.load(account, "1")).rejects.toMatchObject({ code: "store-closed" });
});

test("a store is not deleted with work of another tab that this one has not heard of", async () => {
  vi.stubGlobal("fetch", () => Promise.reject(new TypeError("no network")));
  const sync = { url: "https://sync.example.com", space: "acme", subject: "ann", token: () => "token" };
  await openStore({ name: "shared work", storage: "memory", wasm, sync, onProblem() {} });
  const { store } = await tab("shared work", { aggregates: [account] });
  await store.execute(account, "1", deposit(1));

  await expect(deleteStore("shared work")).rejects.toMatchObject({ code: "pending-work", details: { pending: 1 } });

  await deleteStore("shared work", { evenIfPending: true });
});

test("a store is not deleted with work that is under way", async () => {
  vi.stubGlobal("fetch", () => Promise.reject(new TypeError("no network")));
  const sync = { url: "https://sync.example.com", space: "acme", subject: "ann", token: () => "token" };
  const name = "under way";
  const store = await openStore({ name, storage: "memory", wasm, aggregates: [account], sync, onProblem() {} });
  const executing = store.execute(account, "1", deposit(1));

  await expect(deleteStore(name)).rejects.toMatchObject({ code: "pending-work", details: { pending: 1 } });

  expect((await executing).version).toBe(1);
  await deleteStore(name, { evenIfPending: true });
});

test("one name in a page is one space", async () => {
  vi.stubGlobal("fetch", () => Promise.reject(new TypeError("no network")));
  const sync = { url: "https://sync.example.com", space: "acme", subject: "ann", token: () => "token" };
  const options = { name: "shared", storage: "memory", wasm, onProblem() {} } as const;
  const store = await openStore({ ...options, sync });

  await expect(openStore({ ...options, sync: { ...sync, space: "other" } })).rejects.toMatchObject({
    code: "invalid-argument",
    details: { argument: "sync" },
  });
  const again = await openStore({ ...options, sync });
  await again.close();
  await store.close();
});
