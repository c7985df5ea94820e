/**
 * Loading aggregates and reading the log: as of then, in old shapes, and what is kept in between.
 */
import { describe, expect, test } from "vitest";
import { defineAggregate } from "../../ts/aggregate.js";
import type { Event } from "../../ts/event.js";
import { account, deposit, deposited, transfer } from "./ledger.js";
import { all, opened } from "./opened.js";
import { newDatabase, tab, until } from "./tab.js";

const day = 86_400_000;

describe("an aggregate as of then", () => {
  test("is the prefix of its stream at a version", async () => {
    const { store } = await opened({ aggregates: [account] });
    await store.append("account-a", [deposited(1), deposited(2), deposited(3)]);

    const loaded = await Promise.all([0, 2, 3, 99].map((atVersion) => store.load(account, "a", { atVersion })));

    expect(loaded.map(({ state, version }) => [state.balance, version])).toEqual([
      [0, 0],
      [3, 2],
      [6, 3],
      [6, 3],
    ]);
  });

  test("is folded from what had happened, or had been recorded, at a time", async () => {
    const { store, clock } = await opened({ aggregates: [account] });
    const start = clock.now();
    await store.append("account-a", [
      { ...deposited(1), occurredAt: start - 10 * day },
      { ...deposited(2), occurredAt: start - 5 * day },
    ]);
    clock.advance(day);
    await store.append("account-a", [{ ...deposited(4), occurredAt: start - 7 * day }]);

    const at = start - 6 * day;
    expect((await store.load(account, "a", { at })).state.balance).toBe(5);
    expect((await store.load(account, "a", { at: start, clock: "recorded" })).state.balance).toBe(3);
  });

  test("from the cache is there at once, and is the same object", async () => {
    const { store, storage } = await opened({ aggregates: [account] });
    const { state } = await store.execute(account, "a", deposit(1));
    const before = storage.calls();

    const loaded = await store.load(account, "a");

    expect(loaded.state).toBe(state);
    expect(storage.calls()).toBe(before);
  });
});

describe("events in old shapes", () => {
  type Named = Event<"named", { name: string }>;
  const definition = {
    name: "person",
    version: 1,
    initialState: () => ({ names: [] as string[] }),
    decide: (command: { name: string }): Named => ({ type: "named", data: command }),
    evolve: (state: { names: string[] }, event: Named) => ({ names: [...state.names, event.data.name] }),
  } as const;
  const older = defineAggregate(definition);
  const newer = defineAggregate({
    ...definition,
    version: 2,
    schemaVersions: { named: 2 },
    upcasters: { named: { 1: (data: { name: string }) => ({ name: data.name.toUpperCase() }) } },
  });

  test("are brought to the current one wherever they are read", async () => {
    const database = newDatabase();
    const { store: before } = await tab(database, { aggregates: [older] });
    await before.execute(older, "1", { name: "ann" });
    const { store } = await tab(database, { aggregates: [newer] });

    expect((await store.load(newer, "1")).state.names).toEqual(["ANN"]);
    const [event] = await all(store.read({ aggregate: newer }));
    expect(event).toMatchObject({ data: { name: "ANN" }, schemaVersion: 2 });
  });

  test("newer than this app are kept as they are, and nothing is folded or decided over them", async () => {
    const database = newDatabase();
    const { store: after } = await tab(database, { aggregates: [newer] });
    await after.execute(newer, "1", { name: "ann" });
    const { store } = await tab(database, { aggregates: [older, account] });

    await expect(store.load(older, "1")).rejects.toMatchObject({
      code: "app-outdated",
      details: { found: 2, known: 1 },
    });
    await expect(store.execute(older, "1", { name: "bob" })).rejects.toMatchObject({ code: "app-outdated" });
    expect(await all(store.read())).toMatchObject([{ data: { name: "ann" }, schemaVersion: 2 }]);
    expect((await store.execute(account, "a", deposit(1))).version).toBe(1);
  });
});

describe("a snapshot", () => {
  const counted = { ...account, snapshotEvery: 10 };

  test("is kept each so many events and serves the next load", async () => {
    const database = newDatabase();
    const one = await tab(database, { aggregates: [counted] });
    for (let amount = 1; amount <= 25; amount += 1) {
      await one.store.execute(counted, "a", deposit(1));
    }
    await until(async () => (await one.store.stats()).snapshots > 0);
    let folded = 0;
    const counting = {
      ...counted,
      evolve(...args: Parameters<typeof account.evolve>) {
        folded += 1;
        return account.evolve(...args);
      },
    };
    const two = await tab(database, { aggregates: [counting] });

    expect(await two.store.load(counting, "a")).toMatchObject({ version: 25, state: { balance: 25 } });
    expect(folded).toBeLessThan(25);
  });

  test("of another version of the definition does not serve", async () => {
    const database = newDatabase();
    const one = await tab(database, { aggregates: [counted] });
    await one.store.append("account-a", Array(20).fill(deposited(1)));
    await one.store.load(counted, "a");
    await until(async () => (await one.store.stats()).snapshots > 0);
    const doubled = {
      ...counted,
      version: 2,
      initialState: () => ({ balance: 1_000, frozen: false }),
    };
    const two = await tab(database, { aggregates: [doubled] });

    expect((await two.store.load(doubled, "a")).state.balance).toBe(1_020);
  });

  test("that is not what its events fold to is dropped and reported", async () => {
    const database = newDatabase();
    const one = await tab(database, { aggregates: [counted] });
    await one.store.append("account-a", Array(20).fill(deposited(1)));
    await one.core.tool("putSnapshot", [
      0,
      "account-a",
      "account",
      1,
      20,
      JSON.stringify({ balance: 7, frozen: false }),
      2,
    ]);
    const two = await tab(database, { aggregates: [counted] });

    expect((await two.store.load(counted, "a")).state.balance).toBe(7);
    await until(() => two.problems.length > 0);

    expect(two.problems).toMatchObject([
      { code: "snapshot-mismatch", details: { streamId: "account-a", version: 20 } },
    ]);
    expect((await two.store.load(counted, "a")).state.balance).toBe(20);
  });

  test("is not taken of a state that is not JSON, which is said once", async () => {
    const database = newDatabase();
    const odd = defineAggregate({
      name: "odd",
      version: 1,
      snapshotEvery: 2,
      initialState: () => ({ seen: new Map<string, number>() }),
      decide: (command: { key: string }): Event<"seen", { key: string }> => ({ type: "seen", data: command }),
      evolve: (state, event) => ({ seen: new Map(state.seen).set(event.data.key, 1) }),
    });
    const { store, problems } = await tab(database, { aggregates: [odd] });
    for (const key of ["a", "b", "c", "d", "e"]) {
      await store.execute(odd, "1", { key });
    }
    await until(() => problems.length > 0);

    expect(problems).toMatchObject([{ code: "state-not-json", details: { definition: "odd", path: "state.seen" } }]);
    expect(await store.stats()).toMatchObject({ snapshots: 0, withoutSnapshots: ["odd"] });
    expect((await (await tab(database, { aggregates: [odd] })).store.load(odd, "1")).state.seen.size).toBe(5);
  });
});

describe("reading", () => {
  async function bank() {
    const test = await opened({ aggregates: [account], decisions: [transfer] });
    const { store, clock } = test;
    await store.append("account-a", [{ ...deposited(10), occurredAt: 1_000 }]);
    await store.append("account-b", [{ ...deposited(20), occurredAt: 2_000 }]);
    clock.advance(day);
    await store.execute(transfer, { from: "a", to: "b", amount: 5 });
    await store.append("other-1", [{ type: "noted" }]);
    return test;
  }
  const positions = (events: readonly { readonly position: number }[]) => events.map(({ position }) => position);

  test.each([
    ["everything", {}, [1, 2, 3, 4, 5]],
    ["a stream", { streamId: "account-a" }, [1, 3]],
    ["an aggregate", { aggregate: account }, [1, 2, 3, 4]],
    ["an aggregate by its name", { aggregate: "account" }, [1, 2, 3, 4]],
    ["some streams", { streams: ["other-1", "account-b"] }, [2, 4, 5]],
    ["some types", { types: ["account.withdrawn", "noted"] }, [3, 5]],
    ["after a position", { afterPosition: 3 }, [4, 5]],
    ["a time", { from: 1_500, until: 2_000 }, [2]],
    ["a time of recording", { until: Date.UTC(2020, 0, 1), clock: "recorded" }, [1, 2]],
    ["backwards", { direction: "backward" }, [5, 4, 3, 2, 1]],
    ["the last two", { direction: "backward", limit: 2 }, [5, 4]],
    ["none", { limit: 0 }, []],
    ["a stream of another aggregate", { aggregate: account, streamId: "other-1" }, []],
  ] as const)("%s", async (_, query, expected) => {
    const { store } = await bank();

    expect(positions(await all(store.read(query as object)))).toEqual(expected);
    expect(positions((await all(store.read(query as object).batches())).flat())).toEqual(expected);
  });

  test("many pages gives each event once, in both directions", async () => {
    const { store } = await opened();
    const count = 10_000;
    await store.ingest([
      Array.from({ length: count }, (_, index) => ({ streamId: `s-${index % 7}`, type: "t", data: index })),
    ]);

    const forward = await all(store.read());
    const backward = await all(store.read({ direction: "backward" }));

    expect(positions(forward)).toEqual(Array.from({ length: count }, (_, index) => index + 1));
    expect(positions(backward)).toEqual(positions(forward).reverse());
    expect(await all(store.read({ limit: 5_000, afterPosition: 10 }))).toHaveLength(5_000);
  });
});
