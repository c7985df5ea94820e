/**
 * Bulk, files, handles, and an engine that traps.
 */
import { describe, expect, test } from "vitest";
import { deleteStore } from "../../ts/open.js";
import { account, balances, deposit, deposited, opened as openedEvent } from "./ledger.js";
import { all, opened } from "./opened.js";
import { newDatabase, tab } from "./tab.js";

const definitions = { aggregates: [account], projections: [balances] } as const;

const rows = (count: number) =>
  Array.from({ length: count }, (_, index) => ({
    commitId: `row-${index}`,
    events: [{ streamId: `account-${index % 10}`, ...deposited(1) }],
  }));

describe("ingest", () => {
  test("ends when its signal says so: what was told is there, nothing else", async () => {
    const { store } = await opened(definitions);
    const controller = new AbortController();
    let told = 0;

    const call = store.ingest(rows(20_000), {
      signal: controller.signal,
      onProgress({ events }) {
        told = events;
        controller.abort();
      },
    });

    await expect(call).rejects.toMatchObject({ code: "aborted" });
    expect(told).toBeGreaterThan(0);
    expect(await all(store.read())).toHaveLength(told);
    const { knownEvents } = await store.ingest(rows(20_000));
    expect(knownEvents).toBe(told);
  });
});

describe("an export", () => {
  test("read into another store is the same log, ids and all", async () => {
    const { store } = await opened(definitions);
    await store.append("account-a", [openedEvent("Ann")], { commitId: "first" });
    await store.ingest(rows(3_000));
    const file = await store.export();
    const { store: other } = await opened(definitions);
    await other.view(balances).count();

    const report = await other.import(file);

    expect(report).toEqual({ events: 3_001, commits: 3_001 });
    const essence = (events: readonly object[]) => events.map((event) => ({ ...event, replicaId: "" }));
    expect(essence(await all(other.read()))).toEqual(essence(await all(store.read())));
    expect((await other.view(balances).get("account-a"))?.owner).toBe("Ann");
    expect((await other.append("account-a", [openedEvent("Ann")], { commitId: "first" })).version).toBe(1);
  });

  test("merged by commit id adds what is new", async () => {
    const { store } = await opened(definitions);
    await store.ingest(rows(10));
    const file = await store.export();
    const { store: other } = await opened(definitions);
    await other.ingest(rows(4));
    await other.load(account, "7");

    expect(await other.import(file, { merge: true })).toEqual({ events: 6, commits: 6 });
    expect(await other.import(file, { merge: true })).toEqual({ events: 0, commits: 0 });
    expect((await other.load(account, "7")).state.balance).toBe(1);
    expect(await other.verify()).toEqual({ ok: true, problems: [] });
  });
});

describe("several at once", () => {
  test("exports are whole, and what is sound verifies", async () => {
    const { store } = await opened(definitions);
    await store.ingest(rows(20_000));

    const calls = [store.export(), store.export({ signal: AbortSignal.abort() }), store.export()] as const;
    const reports = await Promise.all([store.verify(), store.verify()]);

    await expect(calls[1]).rejects.toMatchObject({ code: "aborted" });
    for (const file of [await calls[0], await calls[2]]) {
      const { store: other } = await opened(definitions);
      expect(await other.import(file)).toEqual({ events: 20_000, commits: 20_000 });
    }
    expect(reports).toEqual(Array(2).fill({ ok: true, problems: [] }));
  });
});

test("an import into a store that holds events says which argument was missing", async () => {
  const { store } = await opened(definitions);
  await store.ingest(rows(3));
  const file = await store.export();

  await expect(store.import(file)).rejects.toMatchObject({ code: "invalid-argument", details: { argument: "merge" } });
});

test("an import that uses a commit id for other content names the id", async () => {
  const { store } = await opened(definitions);
  await store.append("account-a", [openedEvent("Ann")], { commitId: "first" });
  const file = await store.export();
  const { store: other } = await opened(definitions);
  await other.append("account-a", [openedEvent("Bob")], { commitId: "first" });

  await expect(other.import(file, { merge: true })).rejects.toMatchObject({
    code: "commit-id-reused",
    details: { commitId: "first" },
  });
});

describe("handles", () => {
  test("on one name share what is written, and the last close closes", async () => {
    const name = "two-handles";
    const { store: one } = await opened({ ...definitions, name });
    const { store: two } = await opened({ aggregates: [account], name });

    await one.execute(account, "a", deposit(1));
    expect((await two.load(account, "a")).state.balance).toBe(1);
    await one.close();

    await expect(one.load(account, "a")).rejects.toMatchObject({ code: "store-closed" });
    expect((await two.execute(account, "a", deposit(1))).version).toBe(2);
  });

  test("may bring newer definitions, as a development server does", async () => {
    const name = "reloaded";
    const { store: one } = await opened({ ...definitions, name });
    await one.execute(account, "a", deposit(1));
    const reloaded = { ...account };
    const { store: two } = await opened({ aggregates: [reloaded], name });

    await two.execute(reloaded, "a", deposit(1));
    await one.execute(account, "a", deposit(1));

    expect((await two.load(reloaded, "a")).state.balance).toBe(3);
  });

  test("memory forgets everything at the last close", async () => {
    const name = "forgetful";
    const { store } = await opened({ ...definitions, name });
    await store.execute(account, "a", deposit(1));
    await store.close();
    const { store: again } = await opened({ ...definitions, name });

    expect((await again.load(account, "a")).version).toBe(0);
  });

  test("are closed by force when the store is deleted", async () => {
    const name = "deleted";
    const { store } = await opened({ ...definitions, name });
    await store.execute(account, "a", deposit(1));
    await deleteStore(name);
    const { store: again } = await opened({ ...definitions, name });

    await expect(store.load(account, "a")).rejects.toMatchObject({ code: "store-closed" });
    await store.close();
    expect((await again.execute(account, "a", deposit(1))).version).toBe(1);
    await expect(deleteStore("in IndexedDB")).rejects.toMatchObject({ code: "storage-unavailable" });
  });

  test("that are closed during an import have read all of it, or none and say so", async () => {
    const { store: source } = await tab(newDatabase(), definitions);
    await source.execute(account, "a", deposit(1));
    const file = new Uint8Array(await (await source.export()).arrayBuffer());

    for (let turns = 0; turns < 40; turns += 1) {
      const database = newDatabase();
      const { store } = await tab(database, definitions);
      const importing = store.import(file).catch(({ code }) => code);
      for (let turn = 0; turn < turns; turn += 1) {
        await undefined;
      }
      await store.close();
      const { store: again } = await tab(database, definitions);
      const { version } = await again.load(account, "a");

      expect(await importing).toEqual(version === 0 ? "store-closed" : { events: 1, commits: 1 });
    }
  });

  test("close while another one goes on writing", async () => {
    const name = "busy";
    const { store } = await opened({ ...definitions, name });
    const { store: other } = await opened({ ...definitions, name });
    const own = store.execute(account, "own", deposit(1));
    let going = true;
    const busy = (async () => {
      for (let calls = 0; going && calls < 2_000; calls += 1) {
        await other.execute(account, "a", deposit(1));
      }
      return going;
    })();

    await store.close();
    going = false;

    expect(await busy).toBe(false);
    expect((await own).version).toBe(1);
  });

  test("finish what was begun before they close", async () => {
    const database = newDatabase();
    const { store } = await tab(database, definitions);
    const calls = Array.from({ length: 20 }, () => store.execute(account, "a", deposit(1)));

    await store.close();

    expect((await Promise.all(calls)).at(-1)?.version).toBe(20);
    expect((await (await tab(database, definitions)).store.load(account, "a")).version).toBe(20);
  });
});

// Last in this file: the instance that all its stores share is given up.
test("a trap fails what was under way; a store in memory says that it is lost", async () => {
  const { store, core, problems } = await tab(newDatabase(), definitions);
  await store.execute(account, "a", deposit(1));
  const injectPanic = (core as unknown as { injectPanic(): void }).injectPanic.bind(core);

  const call = store.execute(account, "b", deposit(1));
  await Promise.resolve();
  expect(injectPanic).toThrow(WebAssembly.RuntimeError);

  await expect(call).rejects.toMatchObject({ code: "wasm-failed" });
  await expect(store.load(account, "b")).rejects.toMatchObject({ code: "wasm-failed" });
  expect(problems.map(({ code }) => code)).toContain("wasm-failed");
  const { store: next } = await tab(newDatabase(), definitions);
  expect((await next.execute(account, "a", deposit(1))).version).toBe(1);
});
