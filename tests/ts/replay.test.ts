/**
 * Replaying a stream event by event, and finding the first event after which something holds.
 */
import { applyPatch, type Operation } from "rfc6902";
import { describe, expect, test, vi } from "vitest";
import { defineAggregate } from "../../ts/aggregate.js";
import type { Event } from "../../ts/event.js";
import { account, deposit, deposited, frozen, opened as openedEvent, withdrawn } from "./ledger.js";
import { all, opened } from "./opened.js";
import { newDatabase, tab, until } from "./tab.js";

const counted = { ...account, snapshotEvery: 10 };

/** A definition that notes how often it folds. */
function counting(definition: typeof account = account) {
  let folds = 0;
  const aggregate = {
    ...definition,
    evolve(...args: Parameters<typeof account.evolve>) {
      folds += 1;
      return account.evolve(...args);
    },
  };
  return { aggregate, folds: () => folds };
}

/** A definition that fails at a withdrawal. */
const breaking = {
  ...account,
  evolve(...args: Parameters<typeof account.evolve>) {
    if (args[1].type === "account.withdrawn") {
      throw new Error("no such thing");
    }
    return account.evolve(...args);
  },
};

async function bank(aggregate: typeof account = account) {
  const test = await opened({ aggregates: [aggregate] });
  await test.store.append("account-a", [openedEvent("Ann"), deposited(10), deposited(5)]);
  await test.store.append("account-b", [deposited(99)]);
  await test.store.append("account-a", [withdrawn(12), frozen]);
  return test;
}

describe("a replay", () => {
  test("gives each event of one stream with the state after it and what it changed", async () => {
    const { store } = await bank();

    const steps = await all(store.replay(account, "a"));

    expect(steps.map(({ event, state, patch }) => [event.version, event.type, state.balance, patch])).toEqual([
      [1, "account.opened", 0, []],
      [2, "account.deposited", 10, [{ op: "replace", path: "/balance", value: 10 }]],
      [3, "account.deposited", 15, [{ op: "replace", path: "/balance", value: 15 }]],
      [4, "account.withdrawn", 3, [{ op: "replace", path: "/balance", value: 3 }]],
      [5, "account.frozen", 3, [{ op: "replace", path: "/frozen", value: true }]],
    ]);
    expect(steps.map(({ event }) => event)).toEqual(await all(store.read({ streamId: "account-a" })));
    expect(steps.every(({ state }) => Object.isFrozen(state))).toBe(true);
  });

  test("ends where the stream ended when it began", async () => {
    const { store } = await bank();
    const versions: number[] = [];

    for await (const { event } of store.replay(account, "b")) {
      versions.push(event.version);
      await store.append("account-b", [deposited(1)]);
    }

    expect(versions).toEqual([1]);
  });

  test("of a stream without events is empty", async () => {
    const { store } = await bank();

    expect(await all(store.replay(account, "nobody"))).toEqual([]);
  });

  test.each([
    [{ fromVersion: 3 }, [3, 4, 5]],
    [{ atVersion: 2 }, [1, 2]],
    [{ fromVersion: 2, atVersion: 2 }, [2]],
    [{ fromVersion: 0, atVersion: 1 }, [1]],
    [{ fromVersion: 6 }, []],
    [{ fromVersion: 99 }, []],
    [{ fromVersion: 4, atVersion: 3 }, []],
    [{ atVersion: Number.MAX_SAFE_INTEGER }, [1, 2, 3, 4, 5]],
  ])("of a part, %j, gives the same steps as one of all", async (options, versions) => {
    const { store } = await bank();
    const whole = await all(store.replay(account, "a"));

    const part = await all(store.replay(account, "a", options));

    expect(part).toEqual(whole.filter(({ event }) => versions.includes(event.version)));
    expect(part).toHaveLength(versions.length);
  });

  test("of the end of a long stream begins at a snapshot and reads nothing before it", async () => {
    const database = newDatabase();
    const one = await tab(database, { aggregates: [counted] });
    for (let number = 1; number <= 25; number += 1) {
      await one.store.execute(counted, "a", deposit(number));
    }
    await until(async () => (await one.store.stats()).snapshots > 0);
    const { aggregate, folds } = counting(counted);
    const two = await tab(database, { aggregates: [aggregate] });

    const steps = await all(two.store.replay(aggregate, "a", { fromVersion: 24 }));

    expect(steps.map(({ event, state }) => [event.version, state.balance])).toEqual([
      [24, 300],
      [25, 325],
    ]);
    expect(folds()).toBeLessThan(10);
  });

  test("of more events than a page goes on to the last", async () => {
    const { store } = await opened({ aggregates: [account] });
    await store.ingest([Array.from({ length: 9_001 }, () => ({ ...deposited(1), streamId: "account-a" }))]);

    let steps = 0;
    for await (const { event, state } of store.replay(account, "a", { fromVersion: 2 })) {
      steps += 1;
      expect([event.version, state.balance]).toEqual([steps + 1, steps + 1]);
    }

    expect(steps).toBe(9_000);
  });

  test("ends with evolve-failed, which names the event, after what came before it", async () => {
    const { store } = await bank(breaking);
    const versions: number[] = [];

    const replayed = (async () => {
      for await (const { event } of store.replay(breaking, "a")) {
        versions.push(event.version);
      }
    })();

    await expect(replayed).rejects.toMatchObject({
      code: "evolve-failed",
      details: { definition: "account", streamId: "account-a", version: 4, position: 5, type: "account.withdrawn" },
      cause: { message: "no such thing" },
    });
    expect(versions).toEqual([1, 2, 3]);
  });

  test("brings events to their current shape, and fails only at the one that it cannot", async () => {
    type Named = Event<"named", { name: string }>;
    const definition = {
      name: "person",
      version: 1,
      initialState: () => ({ names: [] as readonly string[] }),
      decide: (command: { name: string }): Named => ({ type: "named", data: command }),
      evolve: (state: { names: readonly string[] }, event: Named) => ({ names: [...state.names, event.data.name] }),
    } as const;
    const older = defineAggregate(definition);
    const newer = defineAggregate({
      ...definition,
      schemaVersions: { named: 2 },
      upcasters: {
        named: {
          1: ({ name }: { name: string }) => {
            if (name === "eve") throw new Error("unknown");
            return { name: name.toUpperCase() };
          },
        },
      },
    });
    const database = newDatabase();
    const before = await tab(database, { aggregates: [older] });
    for (const name of ["ann", "bob", "eve"]) {
      await before.store.execute(older, "1", { name });
    }
    const { store } = await tab(database, { aggregates: [newer] });
    const steps: unknown[] = [];

    const replayed = (async () => {
      for await (const { event, state, patch } of store.replay(newer, "1")) {
        steps.push([event.data, event.schemaVersion, state, patch]);
      }
    })();

    await expect(replayed).rejects.toMatchObject({ code: "upcast-failed", details: { version: 3 } });
    expect(steps).toEqual([
      [{ name: "ANN" }, 2, { names: ["ANN"] }, [{ op: "add", path: "/names/0", value: "ANN" }]],
      [{ name: "BOB" }, 2, { names: ["ANN", "BOB"] }, [{ op: "add", path: "/names/1", value: "BOB" }]],
    ]);
  });

  test("applies: every patch leads from one state to the next", async () => {
    const { store } = await bank();
    const replayed = structuredClone(account.initialState());

    for await (const { state, patch } of store.replay(account, "a")) {
      applyPatch(replayed, patch as Operation[]);
      expect(replayed).toEqual(state);
    }
  });

  test("stops when it is aborted, also between two events of a page, and when the store is closed", async () => {
    const { store } = await bank();
    const ending = new AbortController();
    const versions: number[] = [];

    const replayed = (async () => {
      for await (const { event } of store.replay(account, "a", { signal: ending.signal })) {
        versions.push(event.version);
        ending.abort();
      }
    })();

    await expect(replayed).rejects.toMatchObject({ code: "aborted" });
    expect(versions).toEqual([1]);
    await store.close();
    await expect(all(store.replay(account, "a"))).rejects.toMatchObject({ code: "store-closed" });
  });

  test("refuses what names nothing", async () => {
    const { store } = await bank();
    const other = { ...account, name: "other" };

    for (const replay of [
      store.replay(other as never, "a"),
      store.replay(account, ""),
      store.replay(account, "a", { fromVersion: 1.5 }),
      store.replay(account, "a", { atVersion: -1 }),
    ]) {
      await expect(all(replay)).rejects.toMatchObject({ code: "invalid-argument" });
    }
  });
});

describe("the first event", () => {
  test("after which something holds is found with what it changed", async () => {
    const { store } = await bank();

    const found = await store.findFirst(account, "a", ({ balance }) => balance > 10);

    expect(found).toMatchObject({
      status: "found",
      event: { version: 3, type: "account.deposited" },
      stateBefore: { balance: 10 },
      state: { balance: 15 },
      patch: [{ op: "replace", path: "/balance", value: 15 }],
    });
  });

  test("counts, although it does not hold at the end any more", async () => {
    const { store } = await bank();

    expect((await store.findFirst(account, "a", ({ balance }) => balance === 15))?.event.version).toBe(3);
    expect((await store.load(account, "a")).state.balance).toBe(3);
  });

  test("may be told by the event itself", async () => {
    const { store } = await bank();

    const found = await store.findFirst(account, "a", (_, { type }) => type === "account.frozen");

    expect(found?.event.version).toBe(5);
  });

  test("is undefined where it never holds", async () => {
    const { store } = await bank();

    expect(await store.findFirst(account, "a", ({ balance }) => balance > 1_000)).toBeUndefined();
    expect(await store.findFirst(account, "nobody", () => true)).toBeUndefined();
  });

  test("that cannot be folded is found with why and the state before it", async () => {
    const { store } = await bank(breaking);

    const found = await store.findFirst(breaking, "a", () => false);

    expect(found).toMatchObject({
      status: "failed",
      event: { version: 4, type: "account.withdrawn" },
      stateBefore: { balance: 15 },
      error: { code: "evolve-failed", details: { version: 4 } },
    });
  });

  test("from a version on begins with the state before that", async () => {
    const { store } = await bank();

    const found = await store.findFirst(account, "a", ({ balance }) => balance > 0, { fromVersion: 4 });

    expect(found).toMatchObject({ event: { version: 4 }, stateBefore: { balance: 15 } });
  });

  test("ends the search: nothing after it is folded, and no page after its own is read", async () => {
    const { aggregate, folds } = counting();
    const { store, core } = await tab(newDatabase(), { aggregates: [aggregate] });
    await store.ingest([Array.from({ length: 20_000 }, () => ({ ...deposited(1), streamId: "account-a" }))]);
    const pages = vi.spyOn(core, "read");

    await store.findFirst(aggregate, "a", ({ balance }) => balance === 5);

    expect([folds(), pages.mock.calls.length]).toEqual([5, 1]);
    await store.findFirst(aggregate, "a", () => false);
    expect(pages.mock.calls.length).toBeGreaterThan(3);
  });

  test("is not found by a predicate that throws, or that is none", async () => {
    const { store } = await bank();
    const bug = new TypeError("no such property");

    const searched = store.findFirst(account, "a", () => {
      throw bug;
    });

    await expect(searched).rejects.toMatchObject({
      code: "invalid-argument",
      details: { argument: "predicate" },
      cause: bug,
    });
    await expect(store.findFirst(account, "a", "frozen" as never)).rejects.toMatchObject({ code: "invalid-argument" });
  });

  test("is no longer searched for once it is aborted", async () => {
    const { store } = await bank();

    await expect(store.findFirst(account, "a", () => true, { signal: AbortSignal.abort() })).rejects.toMatchObject({
      code: "aborted",
    });
  });
});
