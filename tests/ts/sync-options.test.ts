import { expect, onTestFinished, test, vi } from "vitest";
import type { Environment } from "../../ts/environment.js";
import { openStoreIn } from "../../ts/open.js";
import { checkSync } from "../../ts/sync/options.js";
import { device } from "./device.js";
import { fakeServer } from "./fake-server.js";
import { opened } from "./opened.js";
import { browser } from "./outside.js";
import { wasm } from "./wasm-files.js";

const good = { url: "https://sync.example", space: "acme", subject: "ann", token: () => "token" };

test("what is left out has defaults", () => {
  expect(checkSync(good)).toMatchObject({
    ...{ url: "https://sync.example/", space: "acme", subject: "ann" },
    ...{ live: true, batchSize: 500, adopt: null, recover: "ask", onRefused: undefined },
  });
});

test.each([
  ["url", "ftp://sync.example"],
  ["url", "sync"],
  ["url", undefined],
  ["space", ""],
  ["space", "a/b"],
  ["space", "a".repeat(129)],
  ["space", "."],
  ["space", ".."],
  ["subject", ""],
  ["subject", 7],
  ["token", "a token"],
  ["live", "yes"],
  ["batchSize", 0],
  ["batchSize", 2_001],
  ["batchSize", 1.5],
  ["adopt", "all"],
  ["recover", "never"],
  ["onRefused", {}],
])("%s cannot be %j", (name, value) => {
  expect(() => checkSync({ ...good, [name]: value } as never)).toThrowError(
    expect.objectContaining({ code: "invalid-argument", message: expect.stringContaining(name) }),
  );
});

test.each([undefined, null, 7])("in a page too %j is no url", (url) => {
  vi.stubGlobal("location", { href: "https://app.example/" });
  onTestFinished(() => void vi.unstubAllGlobals());

  expect(checkSync({ ...good, url: "/sync" }).url).toBe("https://app.example/sync");
  expect(() => checkSync({ ...good, url } as never)).toThrowError(
    expect.objectContaining({ code: "invalid-argument", message: expect.stringContaining("url") }),
  );
});

test.each([null, false, 0, ""])("a store is not opened with %j for sync", async (sync) => {
  const opening = openStoreIn(browser().tab(), { name: "no-sync", storage: "memory", wasm, sync: sync as never });

  await expect(opening).rejects.toMatchObject({ code: "invalid-argument", details: { argument: "sync" } });
});

test("a store without sync says so, and its commits are confirmed at once", async () => {
  const { store } = await opened();
  const receipt = await store.append("notes", [{ type: "noted" }]);

  expect(receipt.events[0]?.status).toBe("confirmed");
  expect(await receipt.confirmed()).toMatchObject({ changed: false, position: 1 });
  expect(store.sync.status()).toMatchObject({ state: "off", pending: 0, leader: false, hash: null });
  await expect(store.sync.now()).rejects.toMatchObject({ code: "sync-unavailable" });
  expect(await store.refusals.list()).toEqual([]);
  await expect(store.refusals.retry("nobody")).rejects.toMatchObject({ code: "invalid-argument" });
});

test("a store that is closed has neither refusals nor news", async () => {
  const { store } = await opened();
  await store.close();

  await expect(store.sync.now()).rejects.toMatchObject({ code: "store-closed" });
  await expect(store.refusals.list()).rejects.toMatchObject({ code: "store-closed" });
});

test("a store of another space is not opened, and lets go of its database", async () => {
  const bound = await device(fakeServer());
  await bound.store.close();
  let open = 0;
  const environment: Environment = {
    ...bound.tab,
    coreOpened(core) {
      const close = core.close.bind(core);
      open += 1;
      core.close = () => {
        open -= 1;
        return close();
      };
    },
  };
  const sync = { ...good, space: "other" };

  const opening = openStoreIn(environment, { name: bound.name, storage: "memory", wasm, sync });

  await expect(opening).rejects.toMatchObject({ code: "invalid-argument" });
  expect(open).toBe(0);
});
