/**
 * Indexes that changed under the same version: whoever reads the rows, by whichever list of indexes, is answered rightly,
 * and who keeps rows that a tab must not touch says so.
 */
import { describe, expect, test, vi } from "vitest";
import type { CoreProjection } from "../../ts/core/rows.js";
import { defineProjection } from "../../ts/projection.js";
import { type AccountEvent, account, type Balance, deposited, opened as openedEvent } from "./ledger.js";
import { opened } from "./opened.js";
import { newDatabase, tab, until } from "./tab.js";

type Name = keyof Balance;
type Balances = ReturnType<typeof having>;
interface Reader {
  readonly store: { view(projection: Balances): { list(query: { index: string }): Promise<readonly unknown[]> } };
}
interface Writer {
  readonly store: { append(streamId: string, events: readonly AccountEvent[]): Promise<unknown> };
}

/** Balances with these indexes, in this order. */
function having(...names: Name[]) {
  return defineProjection({
    name: "balances",
    version: 1,
    partition: "stream",
    from: [account],
    events: ["account.opened", "account.deposited"],
    key: (event) => event.streamId,
    evolve: (row: Balance | undefined, event): Balance | undefined =>
      event.type === "account.opened"
        ? { owner: event.data.owner, balance: 0 }
        : row && { ...row, balance: row.balance + event.data.amount },
    indexes: Object.fromEntries(names.map((name) => [name, (row: Balance) => row[name]])),
  });
}

const open = (database: string, projection: Balances) =>
  tab(database, { aggregates: [account], projections: [projection] });

/** What the rows must be, written down beside the store. */
class Bank {
  readonly rows = new Map<string, Balance>();

  /** Opens an account, or pays into it. */
  async pay({ store }: Writer, id: string, amount = 1) {
    const key = `account-${id}`;
    const row = this.rows.get(key) ?? { owner: `owner ${id.charCodeAt(0) % 3}`, balance: 0 };
    await store.append(key, [...(this.rows.has(key) ? [] : [openedEvent(row.owner)]), deposited(amount)]);
    this.rows.set(key, { ...row, balance: row.balance + amount });
  }

  async expectRight(reader: Reader, projection: Balances) {
    const view = reader.store.view(projection);
    const order = (one: string | number, other: string | number) => (one < other ? -1 : one > other ? 1 : 0);
    for (const index of Object.keys(projection.indexes) as Name[]) {
      const rows = [...this.rows].map(([key, row]) => ({ key, row }));
      rows.sort((one, other) => order(one.row[index], other.row[index]) || order(one.key, other.key));
      expect(await view.list({ index }), `by ${index}`).toEqual(rows);
    }
  }
}

async function filled(writer: Writer) {
  const bank = new Bank();
  for (const [id, amount] of [
    ["a", 30],
    ["b", 10],
    ["c", 20],
  ] as const) {
    await bank.pay(writer, id, amount);
  }
  return bank;
}

/** Waits until a tab has in its rows what others have written. */
async function hears({ store, engine }: Awaited<ReturnType<typeof open>>, projection: Balances) {
  await engine.log.catchUp();
  await until(() => store.view(projection).checkpoint() >= engine.log.position());
}

/** As a tab sees it that only looks. */
const stateOf = async ({ core }: Awaited<ReturnType<typeof open>>) =>
  JSON.parse(await core.projection("balances", 1, "")) as CoreProjection;

describe("rows that were stored with other indexes", () => {
  test.each([
    ["one was added", ["owner"], ["owner", "balance"]],
    ["one was added before it", ["balance"], ["owner", "balance"]],
    ["their order changed", ["owner", "balance"], ["balance", "owner"]],
    ["one was removed", ["owner", "balance"], ["balance"]],
    ["there were none", [], ["balance"]],
  ] as const)("are left alone and folded in memory: %s", async (_, before, after) => {
    const database = newDatabase();
    const [old, changed] = [having(...before), having(...after)];
    const one = await open(database, old);
    const bank = await filled(one);
    await one.store.view(old).count();
    await bank.expectRight(one, old);
    const stored = await stateOf(one);

    const two = await open(database, changed);
    await bank.expectRight(two, changed);
    await bank.pay(two, "b", 15);
    await bank.expectRight(two, changed);

    expect(two.problems).toMatchObject([{ code: "invalid-argument", details: { argument: "indexes" } }]);
    expect(two.problems[0]?.message).toBe(
      `projection balances: its rows are stored with the indexes ${JSON.stringify(before)}, this app has ${JSON.stringify(after)}: raise \`version\`, or call \`store.rebuild(balances)\``,
    );
    expect(await stateOf(one)).toEqual(stored);
    await hears(one, old);
    await bank.expectRight(one, old);
    expect(one.problems).toEqual([]);
  });

  test("are replaced by a rebuild, which the tab and those to come go on from", async () => {
    const database = newDatabase();
    const [old, changed] = [having("owner"), having("owner", "balance")];
    const one = await open(database, old);
    const bank = await filled(one);
    await bank.expectRight(one, old);
    await one.store.close();
    const two = await open(database, changed);
    await bank.expectRight(two, changed);

    await two.store.rebuild(changed);

    await bank.expectRight(two, changed);
    await bank.pay(two, "b", 15);
    await bank.expectRight(two, changed);
    await until(async () => (await stateOf(two)).checkpoint === two.engine.log.position());
    expect(two.problems).toHaveLength(1);
    const evolve = vi.fn(changed.evolve);
    const watched = { ...changed, evolve };
    const three = await open(database, watched);
    await bank.expectRight(three, watched);
    expect(evolve).not.toHaveBeenCalled();
    expect(three.problems).toEqual([]);
  });

  test("are not rebuilt in part", async () => {
    const database = newDatabase();
    const one = await open(database, having("owner", "balance"));
    const bank = await filled(one);
    await until(async () => (await stateOf(one)).checkpoint === one.engine.log.position());
    const changed = having("balance");
    const two = await open(database, changed);

    await expect(two.store.rebuild(changed, { streams: ["account-a"] })).rejects.toMatchObject({
      code: "invalid-argument",
      details: { argument: "indexes" },
    });

    await bank.expectRight(two, changed);
    expect((await stateOf(one)).revision).toBe(0);
  });

  test("are another handle's in the same page, too", async () => {
    const [old, changed] = [having("owner"), having("balance", "owner")];
    const name = newDatabase();
    const one = await opened({ name, aggregates: [account], projections: [old] });
    const bank = await filled(one);
    await bank.expectRight(one, old);
    const two = await opened({ name, aggregates: [account], projections: [changed] });
    await bank.expectRight(two, changed);

    await two.store.rebuild(changed);
    await bank.pay(two, "d", 5);

    await bank.expectRight(two, changed);
    await bank.expectRight(one, old);
  });
});

describe("two tabs with other indexes than each other", () => {
  test("are both answered rightly when one rebuilds what the other one is about to write", async () => {
    const database = newDatabase();
    const [old, changed] = [having("owner", "balance"), having("balance")];
    const one = await open(database, old);
    const bank = await filled(one);
    await bank.expectRight(one, old);
    const two = await open(database, changed);
    await two.store.rebuild(changed);
    const rebuilt = await stateOf(two);
    const writes = vi.spyOn(one.core, "writeRows");

    await bank.pay(one, "b", 15);
    await until(() => one.problems.length > 0);

    expect(await Promise.all(writes.mock.results.map(({ value }) => value))).toEqual([false]);
    expect(one.problems).toMatchObject([{ code: "invalid-argument", details: { argument: "indexes" } }]);
    // What was replaced may be dropped by now.
    expect(await stateOf(two)).toEqual({ ...rebuilt, stale: expect.anything() });
    await bank.expectRight(one, old);
    await hears(two, changed);
    await bank.expectRight(two, changed);
    await bank.pay(one, "a", 7);
    await bank.expectRight(one, old);
    expect(one.problems).toHaveLength(1);
  });

  test("are both answered rightly all the time, whoever writes and whoever rebuilds", async () => {
    const database = newDatabase();
    const lists = [having("owner", "balance"), having("balance", "owner")] as const;
    const tabs = [await open(database, lists[0]), await open(database, lists[1])] as const;
    const bank = await filled(tabs[0]);
    const rebuilds: Promise<unknown>[] = [];

    for (let round = 0; round < 60; round += 1) {
      const here = round % 2;
      const [tab_, projection] = [tabs[here === 0 ? 0 : 1], lists[here === 0 ? 0 : 1]];
      await bank.pay(tab_, "abcdefg"[(round * 5) % 7] as string, (round * 11) % 17);
      if (round % 9 === 4) {
        // Another one may be under way: then that is said.
        rebuilds.push(tab_.store.rebuild(projection).catch((error: { code: string }) => error.code));
      }
      await tab_.engine.log.catchUp();
      await bank.expectRight(tab_, projection);
    }

    for (const ended of await Promise.all(rebuilds)) {
      expect([undefined, "rebuild-running"]).toContain(ended);
    }
    for (const [place, one] of tabs.entries()) {
      await hears(one, lists[place] as Balances);
      await bank.expectRight(one, lists[place] as Balances);
    }
  });

  test("read the stored rows again when a third one has rebuilt them their way", async () => {
    const database = newDatabase();
    const [old, changed] = [having("owner"), having("owner", "balance")];
    const one = await open(database, old);
    const bank = await filled(one);
    await bank.expectRight(one, old);
    const two = await open(database, changed);
    await bank.expectRight(two, changed);
    const three = await open(database, changed);
    await three.store.rebuild(changed);
    await bank.pay(three, "d", 5);
    await bank.expectRight(three, changed);

    await hears(two, changed);
    await bank.expectRight(two, changed);
    await bank.pay(two, "e", 6);

    await until(async () => (await stateOf(two)).checkpoint === two.engine.log.position());
    await bank.expectRight(two, changed);
  });
});

test("a page that was folded over rows that are replaced meanwhile is not written over the new ones", async () => {
  const database = newDatabase();
  const projection = having("owner");
  const two = await open(database, projection);
  const bank = await filled(two);
  await bank.expectRight(two, projection);
  await until(async () => (await stateOf(two)).checkpoint === two.engine.log.position());
  const old = await stateOf(two);
  // It folds nothing itself.
  const writer = await tab(database, { aggregates: [account] });
  const one = await open(database, projection);
  await one.store.view(projection).count();
  const rows = one.core.rows.bind(one.core);
  let goOn = () => {};
  const meanwhile = new Promise<void>((resolve) => {
    goOn = resolve;
  });
  const asked = vi.spyOn(one.core, "rows").mockImplementationOnce(async (generation, keys) => {
    const found = await rows(generation, keys);
    await meanwhile;
    return found;
  });

  await bank.pay(writer, "a", 15);
  await one.engine.log.catchUp();
  await until(() => asked.mock.calls.length > 0);
  await bank.pay(writer, "a", 1);
  await bank.pay(writer, "b", 5);
  await two.engine.log.catchUp();
  await two.store.rebuild(projection);
  await until(async () => (await rows(old.generation, JSON.stringify(["account-a"]))) === "null");
  const rebuilt = await stateOf(two);
  expect(await one.store.view(projection).count()).toBe(3);
  goOn();

  await hears(one, projection);
  await bank.expectRight(one, projection);
  await bank.expectRight(two, projection);
  expect((await stateOf(two)).checkpoint).toBeGreaterThanOrEqual(rebuilt.checkpoint);
});

test("a rebuild that was begun with other indexes is not taken up", async () => {
  const database = newDatabase();
  const [old, changed] = [having("owner"), having("balance", "owner")];
  const first = await open(database, old);
  const bank = await filled(first);
  const paid = Array.from({ length: 100 }, () => ({ streamId: "account-c", ...deposited(1) }));
  await first.store.ingest(Array.from({ length: 200 }, () => paid));
  bank.rows.set("account-c", { owner: "owner 0", balance: 20_020 });
  await bank.expectRight(first, old);
  const rebuild = first.store.rebuild(old, { onProgress: () => rebuild.pause() });
  const ended = rebuild.catch(() => undefined);
  await until(async () => ((await stateOf(first)).rebuild?.checkpoint ?? 0) > 0);
  const begun = (await stateOf(first)).rebuild?.generation;
  await first.store.close();
  await ended;
  const second = await open(database, changed);

  await second.store.rebuild(changed);

  expect((await stateOf(second)).generation).not.toBe(begun);
  await bank.expectRight(second, changed);
});

test("a version that is built by itself is built with one list of indexes", async () => {
  const database = newDatabase();
  const version2 = (projection: Balances): Balances => ({ ...projection, version: 2 });
  const old = having("owner");
  const one = await open(database, old);
  const bank = await filled(one);
  await bank.expectRight(one, old);
  const lists = [version2(having("owner", "balance")), version2(having("balance"))] as const;
  const tabs = await Promise.all(lists.map((projection) => open(database, projection)));

  await Promise.all(tabs.map((two, place) => bank.expectRight(two, lists[place] as Balances)));

  expect(tabs.flatMap(({ problems }) => problems)).toMatchObject([{ code: "invalid-argument" }]);
});

test("rows that an earlier release stored have the indexes of the first app that reads them", async () => {
  const database = newDatabase();
  const earlier = await tab(database, { aggregates: [account] });
  const bank = await filled(earlier);
  const { generation } = JSON.parse(await earlier.core.projection("balances", 1, "")) as CoreProjection;
  const rows = [...bank.rows].map(([key, row]) => [key, row, [], [row.owner]]);
  const write = { name: "balances", version: 1, generation, expectedCheckpoint: 0, checkpoint: 6, rows };
  expect(await earlier.core.writeRows(JSON.stringify(write))).toBe(true);
  const evolve = vi.fn(having("owner").evolve);
  const old = { ...having("owner"), evolve };
  const one = await open(database, old);
  await bank.expectRight(one, old);
  expect(evolve).not.toHaveBeenCalled();

  const changed = having("balance");
  const two = await open(database, changed);
  await bank.expectRight(two, changed);
  await bank.pay(one, "a");
  await bank.expectRight(one, old);

  expect([one.problems.length, two.problems.length]).toEqual([0, 1]);
});
