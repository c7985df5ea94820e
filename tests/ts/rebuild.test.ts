/**
 * Rebuilding as users have it: paused, ended, taken up again, of some streams, failing at any storage
 * call; the rows are always those of a plain fold.
 */
import { describe, expect, test, vi } from "vitest";
import type { Core, CoreTools } from "../../ts/core.js";
import { isEverfoldError } from "../../ts/errors.js";
import { defineProjection } from "../../ts/projection.js";
import type { StorageFault } from "../../ts/testing/test-store.js";
import { nextTask } from "../../ts/turn.js";
import type { RebuildProgress, RebuildStart } from "../../ts/types.js";
import { account, balances, deposited, opened as openedEvent } from "./ledger.js";
import { opened } from "./opened.js";
import { newDatabase, tab, until } from "./tab.js";

/** How many events a stream has, each counted as `step()` says. */
const counting = (version: number, step: () => number) =>
  defineProjection({
    name: "counts",
    version,
    partition: "stream",
    from: [account],
    key: (event) => event.streamId,
    evolve: (row: { events: number } | undefined) => ({ events: (row?.events ?? 0) + step() }),
    indexes: { events: (row) => row.events },
  });

const counts = counting(1, () => 1);
const definitions = { aggregates: [account], projections: [counts] } as const;

/** Events of ten accounts, in commits of a hundred. */
const history = (events: number) =>
  Array.from({ length: events / 100 }, (_, commit) =>
    Array.from({ length: 100 }, (_, index) => ({ streamId: `account-${(commit + index) % 10}`, ...deposited(1) })),
  );

const rowsOf = async (store: { view(projection: typeof counts): { list(): Promise<readonly unknown[]> } }) =>
  store.view(counts).list();

describe("a rebuild", () => {
  test("that is paused stays where it is until it is resumed", async () => {
    const { store } = await opened(definitions);
    await store.ingest(history(20_000));
    const before = await rowsOf(store);
    const seen: RebuildProgress[] = [];

    const rebuild = store.rebuild(counts, {
      onProgress(progress) {
        seen.push(progress);
        if (seen.length === 1) {
          rebuild.pause();
        }
      },
    });
    await until(() => seen.length === 1);
    await new Promise((resolve) => setTimeout(resolve, 150));
    const whilePaused = seen.length;
    rebuild.resume();
    await rebuild;

    expect(whilePaused).toBe(1);
    expect(seen.at(-1)).toMatchObject({ processed: 20_000, total: 20_000, phase: "switching", remainingMs: 0 });
    expect(await rowsOf(store)).toEqual(before);
  });

  test("that a reload ended is taken up where it stopped, without asking for a start again", async () => {
    const database = newDatabase();
    const first = await tab(database, definitions);
    await first.store.ingest(history(20_000));
    const before = await rowsOf(first.store);
    const rebuild = first.store.rebuild(counts, { onProgress: () => rebuild.pause() });
    const ended = rebuild.catch((error: unknown) => error);
    let checkpoint = 0;
    await until(async () => {
      checkpoint = JSON.parse(await first.core.projection("counts", 1, "")).rebuild?.checkpoint ?? 0;
      return checkpoint > 0;
    });
    await first.store.close();
    expect(await ended).toMatchObject({ code: "store-closed" });
    const second = await tab(database, definitions);
    const processed: number[] = [];

    await second.store.rebuild(counts, { onProgress: (progress) => processed.push(progress.processed) });

    expect(processed[0]).toBeGreaterThan(checkpoint);
    expect(await rowsOf(second.store)).toEqual(before);
  });

  test("that another tab began is taken up by one that has not heard of its events", async () => {
    const database = newDatabase();
    const second = await tab(database, definitions);
    const first = await tab(database, definitions);
    await first.store.ingest(history(20_000));
    const before = await rowsOf(first.store);
    const rebuild = first.store.rebuild(counts, { onProgress: () => rebuild.pause() });
    const ended = rebuild.catch((error: unknown) => error);
    await until(async () => JSON.parse(await first.core.projection("counts", 1, "")).rebuild?.checkpoint > 0);
    await first.store.close();
    await ended;

    await second.store.rebuild(counts);

    expect(await rowsOf(second.store)).toEqual(before);
  });

  test("that is done is what every tab reads from then on, before it has heard of it", async () => {
    const database = newDatabase();
    let step = 1;
    const stepping = counting(1, () => step);
    const first = await tab(database, { aggregates: [account], projections: [stepping] });
    await first.store.append("account-1", [deposited(1)]);
    const second = await tab(database, { aggregates: [account], projections: [stepping] });
    const get = ({ store }: typeof first) => store.view(stepping).get("account-1");
    expect(await Promise.all([get(first), get(second)])).toEqual([{ events: 1 }, { events: 1 }]);
    // Where the rows are takes a while to be found out, as in a database.
    const look = first.core.projection.bind(first.core);
    vi.spyOn(first.core, "projection").mockImplementation(async (...asked) => {
      await nextTask();
      return look(...asked);
    });

    step = 10;
    await first.store.rebuild(stepping);

    expect(await Promise.all([get(first), get(second)])).toEqual([{ events: 10 }, { events: 10 }]);
  });

  test("may begin while a tab that was just opened drops rows that nobody reads any more", async () => {
    const database = newDatabase();
    const first = await tab(database, definitions);
    await first.store.ingest(history(200));
    const before = await rowsOf(first.store);
    for (const _ of ["given up for", "another one"]) {
      await first.core.tool("beginRebuild", ["counts", 1, false, "[]"]);
    }
    await first.store.close();
    const second = await tab(database, definitions);
    let drop = () => {};
    const held = new Promise<void>((resolve) => {
      drop = resolve;
    });
    let dropping = false;
    onNext(second.core, "dropGeneration", () => {
      dropping = true;
      return held.then(() => true);
    });
    await until(() => dropping);

    await second.store.rebuild(counts);
    drop();

    expect(await rowsOf(second.store)).toEqual(before);
  });

  test("that its signal ended while it was paused leaves nothing behind", async () => {
    const { store } = await opened(definitions);
    await store.ingest(history(20_000));
    const before = await rowsOf(store);
    const ending = new AbortController();
    const rebuild = store.rebuild(counts, { signal: ending.signal, onProgress: () => rebuild.pause() });

    setTimeout(() => ending.abort(), 20);

    await expect(rebuild).rejects.toMatchObject({ code: "aborted" });
    expect(await rowsOf(store)).toEqual(before);
    const processed: number[] = [];
    await store.rebuild(counts, { onProgress: (progress) => processed.push(progress.processed) });
    expect(processed[0]).toBeLessThan(20_000);
    expect(await rowsOf(store)).toEqual(before);
  });

  // Found by freezing tabs: what failed was the answer, the rows were switched to, and then deleted as
  // those of a failed rebuild. Every tab folded the whole log in memory from then on.
  test("whose switch was done but not answered keeps the rows that it switched to", async () => {
    const { store, core } = await tab(newDatabase(), definitions);
    await store.ingest(history(200));
    const before = await rowsOf(store);
    onNext(core, "switchGeneration", async (switchGeneration) => {
      await switchGeneration();
      throw { code: "storage-unavailable", message: "the answer was lost", details: { reason: "lost" } };
    });

    await expect(store.rebuild(counts)).rejects.toMatchObject({ code: "storage-unavailable" });

    const { generation } = JSON.parse(await core.projection("counts", 1, ""));
    expect(await core.tool("countRows", [generation])).toBe(10);
    expect(await rowsOf(store)).toEqual(before);
  });

  test("begins by asking whoever keeps something elsewhere, who may refuse", async () => {
    const starts: RebuildStart[] = [];
    let refuses = false;
    const { store } = await opened({
      ...definitions,
      async onRebuildStart(start) {
        starts.push(start);
        if (refuses) {
          throw new Error("the index is locked");
        }
      },
    });
    await store.ingest(history(200));
    const before = await rowsOf(store);

    await store.rebuild(counts);
    refuses = true;
    const refused = store.rebuild(counts, { streams: ["account-1"] });

    await expect(refused).rejects.toMatchObject({
      code: "rebuild-failed",
      message: "counts: onRebuildStart threw: the index is locked",
    });
    expect(starts).toEqual([
      { projection: "counts", version: 1 },
      { projection: "counts", version: 1, streams: ["account-1"] },
    ]);
    expect(await rowsOf(store)).toEqual(before);
  });

  test("of a raised version happens by itself, while tabs of the old one keep their rows", async () => {
    const database = newDatabase();
    const old = await tab(database, definitions);
    await old.store.ingest(history(300));
    const before = await rowsOf(old.store);
    const doubled = counting(2, () => 2);

    const next = await tab(database, { aggregates: [account], projections: [doubled] });

    expect(await next.store.view(doubled).get("account-1")).toEqual({ events: 60 });
    expect(await rowsOf(old.store)).toEqual(before);
  });
});

describe("a rebuild of streams", () => {
  test("replaces their rows and no others, and other tabs fold on from the new ones", async () => {
    const database = newDatabase();
    let step = 1;
    const wrong = counting(1, () => step);
    const here = await tab(database, { aggregates: [account], projections: [wrong] });
    const there = await tab(database, { aggregates: [account], projections: [wrong] });
    await here.store.ingest(history(200));
    expect(await here.store.view(wrong).get("account-1")).toEqual({ events: 20 });
    await there.engine.log.catchUp();
    expect(await there.store.view(wrong).get("account-1")).toEqual({ events: 20 });
    step = 10;

    await here.store.rebuild(wrong, { streams: ["account-1"] });

    expect(await here.store.view(wrong).getMany(["account-1", "account-2"])).toEqual([{ events: 200 }, { events: 20 }]);
    expect(await here.store.view(wrong).list({ index: "events", gt: 20 })).toHaveLength(1);
    await there.store.append("account-1", [deposited(1)]);
    expect(await there.store.view(wrong).get("account-1")).toEqual({ events: 210 });
  });

  test("that is paused ends by its signal, and by the store being closed", async () => {
    const database = newDatabase();
    const { store } = await tab(database, definitions);
    await store.ingest(history(20_000));
    await store.view(counts).count();
    const streams = Array.from({ length: 10 }, (_, number) => `account-${number}`);
    const begin = (signal?: AbortSignal) => {
      const rebuild = store.rebuild(counts, { streams, signal, onProgress: () => rebuild.pause() });
      return rebuild.catch((error: unknown) => error);
    };

    expect(await begin(AbortSignal.timeout(50))).toMatchObject({ code: "aborted" });
    const closed = begin();
    await new Promise((resolve) => setTimeout(resolve, 50));
    await store.close();
    expect(await closed).toMatchObject({ code: "store-closed" });
  });

  test("takes in what another tab has folded and this one has not heard of", async () => {
    const database = newDatabase();
    const here = await tab(database, definitions);
    const there = await tab(database, definitions);
    await there.store.append("account-1", [deposited(1)]);
    await here.engine.log.catchUp();
    await there.store.append("account-1", [deposited(1), deposited(1)]);
    expect(await there.store.view(counts).get("account-1")).toEqual({ events: 3 });

    await here.store.rebuild(counts, { streams: ["account-1"] });

    expect(await there.store.view(counts).get("account-1")).toEqual({ events: 3 });
    expect(await rowsOf(here.store)).toEqual(await rowsOf(there.store));
  });

  test("needs a projection whose rows belong to one stream each", async () => {
    const { store } = await opened({ aggregates: [account], projections: [balances] });

    await expect(store.rebuild(balances, { streams: ["account-1"] })).rejects.toMatchObject({
      code: "invalid-argument",
      details: { argument: "streams" },
    });
  });
});

const faults: readonly StorageFault[] = ["quota", "unknown", "aborted", "blocked", "closed"];

test.each(faults)(
  "a rebuild whose storage calls fail with %s, each in turn, keeps the rows and can be repeated",
  async (fault) => {
    for (let call = 1; ; call += 1) {
      const { store, storage } = await opened(definitions);
      await store.append("account-1", [openedEvent("Ann"), deposited(1)]);
      await store.append("account-2", [openedEvent("Bob")]);
      const before = await rowsOf(store);
      const callsBefore = storage.calls();

      storage.failCall(call, fault);
      let failed = false;
      try {
        await store.rebuild(counts);
      } catch (error) {
        failed = true;
        expect(isEverfoldError(error), `call ${call}`).toBe(true);
      }
      if (!failed && storage.calls() - callsBefore < call) {
        expect(call).toBeGreaterThan(5);
        return;
      }

      expect(await rowsOf(store), `call ${call}`).toEqual(before);
      await store.rebuild(counts);
      expect(await rowsOf(store), `call ${call}`).toEqual(before);
      await store.close();
    }
  },
);

/** Hands the core's next call of this name to `answer`, with what would answer it; those after it are answered as ever. */
function onNext<K extends keyof CoreTools>(
  core: Core,
  name: K,
  answer: (call: () => ReturnType<CoreTools[K]>) => ReturnType<CoreTools[K]>,
): void {
  const tool = core.tool.bind(core);
  const spy = vi.spyOn(core, "tool");
  const first = (called: K, args: Parameters<CoreTools[K]>) => {
    if (called !== name) {
      return tool(called, args);
    }
    spy.mockRestore();
    return answer(() => tool(called, args));
  };
  spy.mockImplementation(first as Core["tool"]);
}
