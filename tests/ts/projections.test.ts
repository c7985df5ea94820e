/**
 * Rows: kept up to date, read, rebuilt, folded as of then; and what stops them.
 */
import { describe, expect, test, vi } from "vitest";
import { defineProjection } from "../../ts/projection.js";
import { account, balances, deposit, deposited, opened as openedEvent, transfer, withdrawn } from "./ledger.js";
import { opened } from "./opened.js";
import { newDatabase, tab, until } from "./tab.js";

const definitions = { aggregates: [account], decisions: [transfer], projections: [balances] } as const;
const _day = 86_400_000;

async function bank() {
  const test = await opened(definitions);
  for (const [id, owner, amount] of [
    ["a", "Ann", 30],
    ["b", "Bob", 10],
    ["c", "Ann", 20],
  ] as const) {
    await test.store.append(`account-${id}`, [openedEvent(owner), deposited(amount)]);
  }
  return test;
}

describe("a view", () => {
  test("gives rows by key, undefined where there is none", async () => {
    const { store } = await bank();
    const view = store.view(balances);

    expect(await view.getMany(["account-c", "account-x", "account-a"])).toEqual([
      { owner: "Ann", balance: 20 },
      undefined,
      { owner: "Ann", balance: 30 },
    ]);
    expect(await view.count()).toBe(3);
  });

  test.each([
    ["by key", {}, ["a", "b", "c"]],
    ["by key, backwards", { reverse: true }, ["c", "b", "a"]],
    ["by a number", { index: "balance" }, ["b", "c", "a"]],
    ["by a text, then key", { index: "owner" }, ["a", "c", "b"]],
    ["within bounds", { index: "balance", gt: 10, lte: 30 }, ["c", "a"]],
    ["from a value on", { index: "balance", gte: 20, limit: 1 }, ["c"]],
    ["below a value", { index: "balance", lt: 20 }, ["b"]],
    ["by the beginning of a text", { index: "owner", prefix: "A" }, ["a", "c"]],
    ["by the beginning of the key", { prefix: "account-b" }, ["b"]],
    ["none", { limit: 0 }, []],
    ["all, however many that are", { limit: Number.MAX_SAFE_INTEGER }, ["a", "b", "c"]],
  ] as const)("lists %s, live and as of then alike", async (_, query, expected) => {
    const { store } = await bank();
    const ids = (entries: readonly { readonly key: string }[]) =>
      entries.map(({ key }) => key.slice("account-".length));

    expect(ids(await store.view(balances).list(query))).toEqual(expected);
    expect(ids(await (await store.project(balances)).list(query))).toEqual(expected);
  });

  test.each([{}, { index: "owner" }, { index: "balance", reverse: true }] as const)(
    "pages through %j without a gap or a repeat",
    async (query) => {
      const { store } = await bank();
      const whole = await store.view(balances).list(query);
      for (const view of [store.view(balances), await store.project(balances)]) {
        const paged = [];
        for (let page = await view.list({ ...query, limit: 1 }); page.length > 0; ) {
          paged.push(...page);
          page = await view.list({ ...query, limit: 1, after: page.at(-1) as never });
        }
        expect(paged).toEqual(whole);
      }
    },
  );
});

describe("rows", () => {
  test("go on from where they were when a tab was closed", async () => {
    const database = newDatabase();
    const one = await tab(database, definitions);
    await one.store.append("account-a", [openedEvent("Ann"), deposited(1)]);
    await one.store.view(balances).count();
    await one.store.close();
    let folded = 0;
    const counting = {
      ...balances,
      evolve(...args: Parameters<typeof balances.evolve>) {
        folded += 1;
        return balances.evolve(...args);
      },
    };
    const two = await tab(database, { ...definitions, projections: [counting] });
    await two.store.execute(account, "a", deposit(1));

    expect((await two.store.view(counting).get("account-a"))?.balance).toBe(2);
    expect(folded).toBe(1);
  });

  test("are folded once, however many tabs fold them", async () => {
    const database = newDatabase();
    const tabs = [await tab(database, definitions), await tab(database, definitions), await tab(database, definitions)];
    await tabs[0]?.store.append("account-a", [openedEvent("Ann")]);

    await Promise.all(
      tabs.map(async ({ store }) => {
        for (let round = 0; round < 30; round += 1) {
          await store.execute(account, "a", deposit(1));
          if (round % 7 === 0) {
            await store.view(balances).get("account-a");
          }
        }
      }),
    );

    for (const { store, engine } of tabs) {
      await engine.log.catchUp();
      await until(async () => (await store.view(balances).get("account-a"))?.balance === 90);
    }
  });

  test("never show half of a commit to another tab, however much there is to fold", async () => {
    const database = newDatabase();
    const here = await tab(database, definitions);
    const there = await tab(database, definitions);
    await there.store.append("account-a", [openedEvent("Ann"), deposited(100)]);
    await there.store.append("account-b", [openedEvent("Bob")]);
    await there.store.view(balances).count();
    await here.engine.log.catchUpAsOwn();
    const sums = async () => (await here.store.view(balances).list()).reduce((sum, { row }) => sum + row.balance, 0);
    expect(await sums()).toBe(100);
    for (let commit = 0; commit < 60; commit += 1) {
      // Of odd lengths: wherever a page would end, some commit is in the middle.
      const half = 33 + (commit % 3);
      await there.store.commit([
        { streamId: "account-a", events: Array.from({ length: half }, () => withdrawn(1)) },
        { streamId: "account-b", events: Array.from({ length: half }, () => deposited(1)) },
      ]);
    }
    const shown: number[] = [];
    const write = there.core.writeRows.bind(there.core);
    vi.spyOn(there.core, "writeRows").mockImplementation(async (rows) => {
      const written = await write(rows);
      shown.push(await sums());
      return written;
    });

    await there.store.view(balances).count();

    expect(shown.length).toBeGreaterThan(1);
    expect(new Set(shown)).toEqual(new Set([100]));
  });

  test("may change in evolve, be deleted, and be several for one event", async () => {
    const owners = defineProjection({
      name: "owners",
      version: 1,
      events: ["named", "left"],
      key: ({ data }) => (data as { people: string[] }).people,
      evolve: (row: { teams: string[] } | undefined, { type, streamId }) => {
        if (type === "left") {
          return undefined;
        }
        const changed = row ?? { teams: [] };
        changed.teams.push(streamId);
        return changed;
      },
    });
    const { store } = await opened({ projections: [owners] });
    const view = store.view(owners);
    await store.append("team-1", [{ type: "named", data: { people: ["ann", "bob", "ann"] } }]);
    await store.append("team-2", [{ type: "named", data: { people: ["ann"] } }]);
    await store.append("team-3", [{ type: "left", data: { people: ["bob", "cleo"] } }]);

    expect(await view.list()).toEqual([{ key: "ann", row: { teams: ["team-1", "team-2"] } }]);
  });

  test("do not share parts with the event that made them", async () => {
    const last = defineProjection({
      name: "last",
      version: 1,
      key: () => ["x", "y"],
      evolve: (row: { list: number[] } | undefined, event) => {
        const made = row ?? (event.data as { list: number[] });
        made.list.push(0);
        return made;
      },
    });
    const { store } = await opened({ projections: [last] });

    await store.append("s-1", [
      { type: "t", data: { list: [1] } },
      { type: "t", data: { list: [2] } },
    ]);

    expect(await store.view(last).getMany(["x", "y"])).toEqual([{ list: [1, 0, 0] }, { list: [1, 0, 0] }]);
  });
});

describe("a reducer that throws", () => {
  const fragile = (mended: boolean) =>
    defineProjection({
      name: "fragile",
      version: 1,
      from: [account],
      key: ({ streamId }) => streamId,
      evolve: (row: { sum: number } | undefined, event) => {
        const sum = (row?.sum ?? 0) + ("amount" in (event.data ?? {}) ? (event.data as { amount: number }).amount : 0);
        if (sum === 13 && !mended) {
          throw new Error("thirteen");
        }
        return { sum };
      },
    });

  test("stops only its projection, which says where, and goes on there when it is mended", async () => {
    const database = newDatabase();
    const broken = fragile(false);
    const one = await tab(database, { ...definitions, projections: [balances, broken] });
    await one.store.append("account-a", [openedEvent("Ann"), deposited(10), deposited(3), deposited(4)]);

    await expect(one.store.view(broken).get("account-a")).rejects.toMatchObject({
      code: "projection-failed",
      details: { projection: "fragile", streamId: "account-a", position: 3, version: 3 },
      cause: { message: "thirteen" },
    });
    expect((await one.store.view(balances).get("account-a"))?.balance).toBe(17);
    expect(one.problems.map(({ code }) => code)).toEqual(["projection-failed"]);
    expect((await one.store.stats()).projections).toMatchObject([
      { name: "balances", failed: null },
      { name: "fragile", checkpoint: 2, lag: 2, failed: { code: "projection-failed" } },
    ]);

    const mended = fragile(true);
    const two = await tab(database, { ...definitions, projections: [mended] });
    expect(await two.store.view(mended).get("account-a")).toEqual({ sum: 17 });
  });

  test("fails a rebuild, which leaves the live rows as they were", async () => {
    const database = newDatabase();
    const mended = fragile(true);
    const one = await tab(database, { ...definitions, projections: [mended] });
    await one.store.append("account-a", [deposited(13)]);
    await one.store.view(mended).count();
    const broken = fragile(false);
    const two = await tab(database, { ...definitions, projections: [broken] });

    await expect(two.store.rebuild(broken)).rejects.toMatchObject({
      code: "rebuild-failed",
      details: { projection: "fragile", partition: "account-a" },
    });
    expect(await two.store.view(broken).get("account-a")).toEqual({ sum: 13 });
  });

  test.each([
    ["a Date", () => ({ at: new Date() }), "row.at is a Date"],
    ["null", () => null, "return undefined to delete it"],
    ["a promise", () => Promise.resolve({}), "is a Promise"],
    ["an index value that is none", () => ({ value: {} }), 'index "value"'],
  ])("and a row that cannot be stored, %s, is named with its event", async (_, row, message) => {
    const odd = defineProjection({
      name: "odd",
      version: 1,
      key: ({ streamId }) => streamId,
      evolve: (_row: unknown, event): unknown => (event.version === 2 ? row() : { value: 1 }),
      indexes: { value: (indexed) => (indexed as { value: number }).value },
    });
    const { store } = await opened({ projections: [odd] });
    await store.append("s-1", [{ type: "t" }, { type: "t" }, { type: "t" }]);

    await expect(store.view(odd).get("s-1")).rejects.toMatchObject({
      code: "projection-failed",
      message: expect.stringContaining(message),
      details: { position: 2 },
    });
  });

  test.each(["key", "evolve"] as const)("an error of this package in %s stops at its event, too", async (where) => {
    const check = (called: string, { version }: { version: number }) => {
      if (called === where && version === 2) {
        account.ref("");
      }
    };
    const strict = defineProjection({
      name: "strict",
      version: 1,
      key(event) {
        check("key", event);
        return event.streamId;
      },
      evolve(row: { events: number } | undefined, event) {
        check("evolve", event);
        return { events: (row?.events ?? 0) + 1 };
      },
    });
    const { store } = await opened({ projections: [strict], onProblem: () => undefined });
    await store.append("s-1", [{ type: "t" }, { type: "t" }, { type: "t" }]);

    await expect(store.view(strict).get("s-1")).rejects.toMatchObject({
      code: "projection-failed",
      details: { projection: "strict", position: 2 },
      cause: { code: "invalid-argument" },
    });
    expect((await store.stats()).projections).toMatchObject([{ checkpoint: 1, failed: { code: "projection-failed" } }]);
  });
});

describe("two versions of a projection at once", () => {
  const newer = defineProjection({
    name: "balances",
    version: 2,
    from: [account],
    key: ({ streamId }) => streamId,
    evolve: (row: { count: number } | undefined) => ({ count: (row?.count ?? 0) + 1 }),
  });

  test("each has its own rows, and the older does not touch the newer", async () => {
    const database = newDatabase();
    const one = await tab(database, definitions);
    await one.store.append("account-a", [openedEvent("Ann"), deposited(1)]);
    await one.store.view(balances).count();
    const two = await tab(database, { ...definitions, projections: [newer] });
    await two.store.execute(account, "a", deposit(1));

    expect(await two.store.view(newer).get("account-a")).toEqual({ count: 3 });
    await one.engine.log.catchUp();
    await one.store.execute(account, "a", deposit(1));
    expect((await one.store.view(balances).get("account-a"))?.balance).toBe(3);
    expect(one.problems).toMatchObject([{ code: "app-outdated", details: { found: 2, known: 1 } }]);
    await expect(one.store.rebuild(balances)).rejects.toMatchObject({ code: "app-outdated" });
  });

  test("an older app that comes after the newer folds in memory", async () => {
    const database = newDatabase();
    const one = await tab(database, { ...definitions, projections: [newer] });
    await one.store.append("account-a", [openedEvent("Ann"), deposited(1)]);
    await one.store.view(newer).count();
    const two = await tab(database, definitions);

    expect(await two.store.view(balances).list({ index: "owner" })).toEqual([
      { key: "account-a", row: { owner: "Ann", balance: 1 } },
    ]);
    await two.store.execute(account, "a", deposit(1));
    expect((await two.store.view(balances).get("account-a"))?.balance).toBe(2);
    expect(two.problems).toMatchObject([{ code: "app-outdated" }]);
  });

  test("rows of the older go when nobody reads them any more", async () => {
    const database = newDatabase();
    const one = await tab(database, definitions);
    await one.store.append("account-a", [openedEvent("Ann"), deposited(1)]);
    await one.store.view(balances).count();
    await one.store.close();
    const two = await tab(database, { ...definitions, projections: [newer] });
    await two.store.view(newer).count();
    await until(async () => JSON.parse(await two.core.projection("balances", 2, "")).stale.length === 0);
    const three = await tab(database, definitions);

    expect((await three.store.view(balances).get("account-a"))?.balance).toBe(1);
    await three.store.execute(account, "a", deposit(1));
    expect((await three.store.view(balances).get("account-a"))?.balance).toBe(2);
  });
});

describe("a rebuild", () => {
  test("takes in what is written meanwhile, and readers read on", async () => {
    const { store } = await bank();
    await store.ingest(Array.from({ length: 9_000 }, () => [{ streamId: "account-a", ...deposited(1) }]));
    const view = store.view(balances);

    const rebuilt = store.rebuild(balances);
    for (let round = 0; round < 10; round += 1) {
      await store.execute(account, "b", deposit(1));
      expect((await view.get("account-b"))?.balance).toBe(11 + round);
    }
    await rebuilt;

    expect((await view.get("account-b"))?.balance).toBe(20);
  });

  test("runs once at a time, and ends when its signal says so", async () => {
    const { store } = await bank();
    const controller = new AbortController();

    const first = store.rebuild(balances, { signal: controller.signal });
    await expect(store.rebuild(balances)).rejects.toMatchObject({ code: "rebuild-running" });
    controller.abort();

    await expect(first).rejects.toMatchObject({ code: "aborted" });
    await store.rebuild(balances);
    expect((await store.view(balances).get("account-a"))?.balance).toBe(30);
  });

  test("heals a projection that has stopped", async () => {
    let broken = true;
    const fragile = defineProjection({
      name: "fragile",
      version: 1,
      key: ({ streamId }) => streamId,
      evolve: () => {
        if (broken) {
          throw new Error("broken");
        }
        return { fine: true };
      },
    });
    const { store } = await opened({ projections: [fragile] });
    await store.append("s-1", [{ type: "t" }]);
    await expect(store.view(fragile).get("s-1")).rejects.toMatchObject({ code: "projection-failed" });
    broken = false;

    await store.rebuild(fragile);

    expect(await store.view(fragile).get("s-1")).toEqual({ fine: true });
  });
});
