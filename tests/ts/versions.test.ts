/**
 * Definitions change while their events stay: two versions of an app on one log.
 */
import { describe, expect, test } from "vitest";
import { defineAggregate } from "../../ts/aggregate.js";
import type { Event } from "../../ts/event.js";
import { deleteStore } from "../../ts/open.js";
import { defineProjection } from "../../ts/projection.js";
import type { Problem } from "../../ts/types.js";
import { account, balances, deposit, deposited, opened as openedEvent } from "./ledger.js";
import { all, opened } from "./opened.js";
import { newDatabase, tab } from "./tab.js";

type AddV1 = { type: "Add"; data: { name: string } };
const oldList = () =>
  defineAggregate({
    name: "list",
    version: 1,
    initialState: () => ({ names: [] as string[] }),
    decide: (command: AddV1): Event<"list.added", { name: string }> => ({ type: "list.added", data: command.data }),
    evolve: (state, event) => ({ names: [...state.names, event.data.name] }),
    snapshotEvery: 2,
  });
const newList = (step: (data: { name: string }) => unknown = ({ name }) => ({ item: { name } })) =>
  defineAggregate({
    name: "list",
    version: 2,
    initialState: () => ({ items: [] as string[] }),
    decide: (command: {
      type: "Add";
      data: { item: { name: string } };
    }): Event<"list.added", { item: { name: string } }> => ({
      type: "list.added",
      data: command.data,
    }),
    evolve: (state, event) => ({ items: [...state.items, event.data.item.name] }),
    snapshotEvery: 2,
    schemaVersions: { "list.added": 2 },
    upcasters: { "list.added": { 1: step } },
  });
const add = (name: string): AddV1 => ({ type: "Add", data: { name } });

let names = 0;
/** For a log that is opened more than once: by an older and a newer app. */
const newName = () => `versions-${++names}`;

describe("an older shape of an event", () => {
  test("is upcast wherever it is read, and stays as it was in the log", async () => {
    const list = newList();
    const items = defineProjection({
      name: "items",
      version: 1,
      from: [list],
      key: () => "all",
      evolve: (row: string[] = [], event) => [...row, event.data.item.name],
    });
    const [v1, v2] = [oldList(), list];
    const name = newName();
    const { store: older } = await opened({ name, aggregates: [v1] });
    const { store: newer } = await opened({ name, aggregates: [v2], projections: [items] });
    await older.execute(v1, "1", add("bread"));

    const { state } = await newer.load(v2, "1");
    await newer.append("list-1", [{ type: "list.added", data: { item: { name: "milk" } } }]);

    expect(state).toEqual({ items: ["bread"] });
    expect(await newer.view(items).get("all")).toEqual(["bread", "milk"]);
    expect(await all(newer.read())).toMatchObject([
      { data: { item: { name: "bread" } }, schemaVersion: 2 },
      { data: { item: { name: "milk" } }, schemaVersion: 2 },
    ]);
    const raw = await opened();
    await raw.store.import(await newer.export());
    expect(await all(raw.store.read())).toMatchObject([
      { data: { name: "bread" }, schemaVersion: 1 },
      { data: { item: { name: "milk" } }, schemaVersion: 2 },
    ]);
  });

  test.each<[string, () => unknown]>([
    [
      "throws",
      () => {
        throw new Error("no such shape");
      },
    ],
    ["answers later", () => Promise.reject(new Error("no such shape"))],
  ])("that its upcaster fails on, as it %s, is upcast-failed, and the rest goes on", async (_, step) => {
    const v1 = oldList();
    const v2 = newList(step);
    const name = newName();
    const { store: older } = await opened({ name, aggregates: [v1] });
    const { store: newer } = await opened({ name, aggregates: [v2, account] });
    await older.execute(v1, "1", add("bread"));

    await expect(newer.load(v2, "1")).rejects.toMatchObject({
      code: "upcast-failed",
      details: { streamId: "list-1", version: 1, type: "list.added", schemaVersion: 1 },
    });
    await expect(all(newer.read())).rejects.toMatchObject({ code: "upcast-failed" });
    expect(await newer.load(account, "a")).toMatchObject({ version: 0 });
  });
});

describe("an event newer than the app", () => {
  test("is app-outdated to load and to decide on, and is read untouched", async () => {
    const [v1, v2] = [oldList(), newList()];
    const name = newName();
    const { store: older } = await opened({ name, aggregates: [v1] });
    const { store: newer } = await opened({ name, aggregates: [v2] });
    await older.load(v1, "1");
    await newer.append("list-1", [{ type: "list.added", data: { item: { name: "milk" } } }]);

    const outdated = { code: "app-outdated", details: { streamId: "list-1", found: 2, known: 1 } };
    await expect(older.load(v1, "1")).rejects.toMatchObject(outdated);
    await expect(older.execute(v1, "1", add("x"))).rejects.toMatchObject(outdated);
    expect(await all(older.read())).toMatchObject([{ data: { item: { name: "milk" } }, schemaVersion: 2 }]);
    expect(await older.load(v1, "2")).toMatchObject({ version: 0 });
    expect(await newer.load(v2, "1")).toEqual({ state: { items: ["milk"] }, version: 1 });
  });

  test("stops the older app's projection there, and not the newer one's", async () => {
    const [v1, v2] = [oldList(), newList()];
    const counts = (list: ReturnType<typeof oldList>) =>
      defineProjection({
        name: "counts",
        version: 1,
        from: [list],
        key: (event) => event.streamId,
        evolve: (row: number = 0) => row + 1,
      });
    const writer = await opened({ aggregates: [v2] });
    await writer.store.execute(v2, "1", { type: "Add", data: { item: { name: "milk" } } });
    const older = counts(v1);
    const reader = await opened({ aggregates: [v1], projections: [older] });
    await reader.store.import(await writer.store.export());

    await expect(reader.store.view(older).get("list-1")).rejects.toMatchObject({
      code: "app-outdated",
      details: { found: 2, known: 1 },
    });
    await expect(reader.store.load(v1, "1")).rejects.toMatchObject({ code: "app-outdated" });
    expect(await all(reader.store.read())).toMatchObject([{ data: { item: { name: "milk" } }, schemaVersion: 2 }]);
  });

  test("stops a projection of every stream there, too, until the app is newer", async () => {
    const [v1, v2] = [oldList(), newList()];
    const [outdated, database] = [
      { code: "app-outdated", details: { position: 2, found: 2, known: 1 } },
      newDatabase(),
    ];
    const counts = defineProjection({
      name: "counts",
      version: 1,
      key: (event) => event.streamId,
      evolve: (row: number = 0) => row + 1,
    });
    const older = await tab(database, { aggregates: [v1], projections: [counts] });
    await older.store.append("unknown", [{ type: "noted" }]);
    const newer = await tab(database, { aggregates: [v2] });
    await newer.store.execute(v2, "1", { type: "Add", data: { item: { name: "milk" } } });
    await older.engine.log.catchUp();

    await expect(older.store.view(counts).get("list-1")).rejects.toMatchObject(outdated);
    await expect(older.store.rebuild(counts)).rejects.toMatchObject(outdated);
    await expect(older.store.project(counts)).rejects.toMatchObject(outdated);
    using without = await older.store.project(counts, { types: ["noted"] });
    expect(await without.get("unknown")).toBe(1);
    expect((await older.store.stats()).projections).toMatchObject([
      { checkpoint: 1, failed: { code: "app-outdated" } },
    ]);

    const updated = await tab(database, { aggregates: [v2], projections: [counts] });
    expect(await updated.store.view(counts).getMany(["unknown", "list-1"])).toEqual([1, 1]);
  });
});

describe("snapshots", () => {
  test("of another version of the definition are not used", async () => {
    const rule = (version: number, by: number) =>
      defineAggregate({
        name: "counter",
        version,
        initialState: () => ({ count: 0 }),
        decide: (_: { type: "Count" }): Event<"counted"> => ({ type: "counted" }),
        evolve: (state) => ({ count: state.count + by }),
        snapshotEvery: 2,
      });
    const [ones, tens] = [rule(1, 1), rule(2, 10)];
    const name = newName();
    const { store: older } = await opened({ name, aggregates: [ones] });
    const { store: newer } = await opened({ name, aggregates: [tens] });
    for (let n = 0; n < 7; n++) {
      await older.execute(ones, "1", { type: "Count" });
    }

    expect(await newer.load(tens, "1")).toEqual({ state: { count: 70 }, version: 7 });
    expect(await older.load(ones, "1")).toEqual({ state: { count: 7 }, version: 7 });
  });

  test("are taken each so many events, and the last ones kept", async () => {
    const { store } = await opened({ aggregates: [account] });
    const kept: number[] = [];
    for (let version = 1; version <= 450; version++) {
      await store.execute(account, "a", deposit(1));
      if (version % 100 === 50) {
        // They are written when nothing else is to be done.
        await expect.poll(async () => (await store.stats()).snapshots).toBe(Math.min(2, Math.floor(version / 100)));
        kept.push((await store.stats()).snapshots);
      }
    }

    expect(kept).toEqual([0, 1, 2, 2, 2]);
    for (const atVersion of [42, 100, 101, 250, 420, 450]) {
      expect((await store.load(account, "a", { atVersion })).state.balance).toBe(atVersion);
    }
  });

  test("of a state that is not JSON are not taken, and that is said", async () => {
    const maps = defineAggregate({
      name: "maps",
      version: 1,
      initialState: () => ({ seen: new Map<string, number>() }),
      decide: (_: { type: "See" }): Event<"seen"> => ({ type: "seen" }),
      evolve: ({ seen }) => ({ seen: new Map(seen).set("it", (seen.get("it") ?? 0) + 1) }),
      snapshotEvery: 2,
    });
    const problems: Problem[] = [];
    const { store } = await opened({ aggregates: [maps], onProblem: (problem) => problems.push(problem) });
    for (let n = 0; n < 6; n++) {
      await store.execute(maps, "1", { type: "See" });
    }

    expect((await store.load(maps, "1")).state.seen.get("it")).toBe(6);
    await expect.poll(() => problems.map(({ code }) => code)).toContain("state-not-json");
    expect(await store.stats()).toMatchObject({ snapshots: 0, withoutSnapshots: ["maps"] });
  });
});

describe("an aggregate as of a time", () => {
  test("is the fold of its events that had happened by then, in log order", async () => {
    const often = defineAggregate({ ...account, snapshotEvery: 2 });
    const { store } = await opened({ aggregates: [often] });
    for (const at of [10, 5, 20, 1, 30]) {
      await store.append("account-a", [{ ...deposited(at), occurredAt: at }]);
      await store.load(often, "a");
    }

    for (const at of [0, 1, 5, 10, 20, 29, 30]) {
      const sum = [10, 5, 20, 1, 30].filter((time) => time <= at).reduce((total, amount) => total + amount, 0);
      expect((await store.load(often, "a", { at })).state.balance, `at ${at}`).toBe(sum);
    }
  });
});

describe("a projection", () => {
  const counting = (version: number, by: number) =>
    defineProjection({
      name: "counting",
      version,
      key: (event) => event.streamId,
      evolve: (row: number = 0) => row + by,
    });

  test("of a new version is built beside the old one, and both are read", async () => {
    const [ones, tens] = [counting(1, 1), counting(2, 10)];
    const name = newName();
    const { store: older } = await opened({ name, projections: [ones] });
    const { store: newer } = await opened({ name, projections: [tens] });
    for (let n = 0; n < 3; n++) {
      await older.append("a", [{ type: "counted" }]);
    }

    expect(await newer.view(tens).get("a")).toBe(30);
    expect(await older.view(ones).get("a")).toBe(3);
    await newer.append("a", [{ type: "counted" }]);
    expect(await older.view(ones).get("a")).toBe(4);
    expect(await newer.view(tens).get("a")).toBe(40);
  });

  test("that failed goes on from where it stopped when it is opened again with its bug mended", async () => {
    const mending = (broken: boolean) =>
      defineProjection({
        name: "mending",
        version: 1,
        key: (event) => event.streamId,
        evolve: (row: number = 0, event) => {
          if (broken && event.version === 3) {
            throw new Error("a bug");
          }
          return row + 1;
        },
      });
    const name = newName();
    const keeper = await opened({ name });
    const broken = mending(true);
    const first = await opened({ name, projections: [broken] });
    for (let n = 0; n < 5; n++) {
      await first.store.append("a", [{ type: "counted" }]);
    }
    await expect(first.store.view(broken).get("a")).rejects.toMatchObject({
      code: "projection-failed",
      details: { projection: "mending", version: 3 },
    });
    const [stats] = (await first.store.stats()).projections;
    expect(stats).toMatchObject({ name: "mending", version: 1, failed: { code: "projection-failed" } });
    await first.store.close();

    const mended = mending(false);
    const second = await opened({ name, projections: [mended] });

    expect(await second.store.view(mended).get("a")).toBe(5);
    await keeper.store.close();
  });

  test("that failed goes on by rebuilding", async () => {
    let broken = true;
    const flaky = defineProjection({
      name: "flaky",
      version: 1,
      key: (event) => event.streamId,
      evolve: (row: number = 0) => {
        if (broken) {
          throw new Error("a bug");
        }
        return row + 1;
      },
    });
    const { store } = await opened({ projections: [flaky, balances], aggregates: [account] });
    await store.append("account-a", [openedEvent("Ann")]);
    await expect(store.view(flaky).count()).rejects.toMatchObject({ code: "projection-failed" });
    await expect(store.rebuild(flaky)).rejects.toMatchObject({
      code: expect.stringMatching(/^(projection|rebuild)-failed$/),
    });
    expect(await store.view(balances).count()).toBe(1);

    broken = false;
    await store.rebuild(flaky);

    expect(await store.view(flaky).get("account-a")).toBe(1);
    await store.append("account-a", [deposited(1)]);
    expect(await store.view(flaky).get("account-a")).toBe(2);
  });
});

describe("handles on one store", () => {
  test("share it, and the last one closed closes it", async () => {
    const name = newName();
    const first = await opened({ name, aggregates: [account] });
    const second = await opened({ name, aggregates: [account] });
    await first.store.execute(account, "a", deposit(1));
    await first.store.close();

    expect((await second.store.load(account, "a")).version).toBe(1);
    await expect(first.store.load(account, "a")).rejects.toMatchObject({ code: "store-closed" });
    await second.store.close();

    const third = await opened({ name, aggregates: [account] });
    expect((await third.store.load(account, "a")).version).toBe(0);
  });

  test("hear at once of each other's writes", async () => {
    const name = newName();
    const first = await opened({ name, aggregates: [account], projections: [balances] });
    const second = await opened({ name, aggregates: [account], projections: [balances] });
    await first.store.append("account-a", [openedEvent("Ann")]);
    const live = second.store.view(balances).watch("account-a");
    live.subscribe(() => {});

    await first.store.execute(account, "a", deposit(1));

    expect((await second.store.load(account, "a")).state.balance).toBe(1);
    await expect.poll(() => live.current.value).toEqual({ owner: "Ann", balance: 1 });
  });

  test("finish what was begun before they close", async () => {
    const name = newName();
    const keeper = await opened({ name, aggregates: [account] });
    const { store } = await opened({ name, aggregates: [account] });

    const writing = Array.from({ length: 20 }, () => store.execute(account, "a", deposit(1)));
    await store.close();
    const outcomes = await Promise.allSettled(writing);

    const done = outcomes.filter(({ status }) => status === "fulfilled").length;
    expect((await keeper.store.load(account, "a")).version).toBe(done);
  });
});

test("a store that is not there can be deleted", async () => {
  await expect(deleteStore("nobody")).rejects.toMatchObject({ code: "storage-unavailable" });
});
