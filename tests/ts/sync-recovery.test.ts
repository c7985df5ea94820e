/**
 * A history from before there was a server, and a server that comes back from a backup.
 */
import { expect, test, vi } from "vitest";
import { defineProjection } from "../../ts/projection.js";
import type { Store } from "../../ts/types.js";
import { device } from "./device.js";
import { fakeServer } from "./fake-server.js";
import { account, balances, deposit, deposited, opened } from "./ledger.js";

/** A device that has worked alone. */
async function loner(server: ReturnType<typeof fakeServer>, deposits: number) {
  const alone = await device(server, { sync: "off" });
  for (let number = 1; number <= deposits; number += 1) {
    await alone.store.append(`account-a-${number % 3}`, [deposited(number)], { commitId: `old-${number}` });
  }
  await alone.store.close();
  return { name: alone.name, outside: alone.outside };
}

test("a history becomes the beginning of an empty space, part by part", async () => {
  const server = fakeServer();
  const of = await loner(server, 7);

  const one = await device(server, { of, sync: { adopt: "empty", batchSize: 3 } });
  const receipt = await one.store.execute(account, "a-1", deposit(100));
  await one.pass(5_000);
  await one.store.sync.now();

  expect(server.commits.map(({ id }) => id)).toEqual([
    ...[1, 2, 3, 4, 5, 6, 7].map((number) => `old-${number}`),
    receipt.commitId,
  ]);
  expect(one.store.sync.status()).toMatchObject({ commits: 8, hash: server.hash(), pending: 0 });
  const two = await device(server);
  await two.pass(5_000);
  await two.store.sync.now();
  expect(await two.log()).toEqual(await one.log());
});

test("a history is put on top of what a space has, if the app says so, and is left alone if not", async () => {
  const server = fakeServer();
  const other = await device(server);
  await other.store.execute(account, "a-1", deposit(5));
  await other.store.sync.now();
  const of = await loner(server, 4);

  const asked = await device(server, { of });
  await asked.pass(5_000);
  expect(asked.codes()).toContain("sync-diverged");
  expect(server.commits).toHaveLength(1);
  await asked.store.close();
  const one = await device(server, { of, sync: { adopt: "rebase" } });
  await one.pass(5_000);
  await one.store.sync.now();
  await other.store.sync.now();

  expect(server.commits.slice(1).map(({ id, mode }) => [id, mode])).toEqual(
    [1, 2, 3, 4].map((number) => [`old-${number}`, "fact"]),
  );
  expect(await other.log()).toEqual(await one.log());
  expect((await one.store.load(account, "a-1")).version).toBe(3);
});

test("what the server lost comes back: one's own by itself, that of others when the app offers it", async () => {
  const server = fakeServer();
  const [one, two] = [await device(server), await device(server)];
  await one.store.append("account-a", [opened("ann"), deposited(1)], { commitId: "mine" });
  await one.store.sync.now();
  await two.store.sync.now();
  await two.store.execute(account, "a", deposit(2), { commitId: "theirs" });
  await two.store.sync.now();
  await one.store.sync.now();
  await expect.poll(() => one.store.view(balances).get("account-a")).toMatchObject({ balance: 3 });
  two.online(false);

  server.restore(0);
  await one.pass(5_000);
  await one.store.sync.now();

  expect(server.commits.map(({ id }) => id)).toEqual(["mine"]);
  // Rows follow what others did in their own time.
  await expect.poll(() => one.store.view(balances).get("account-a")).toMatchObject({ balance: 1 });
  const [orphan, ...others] = await one.store.refusals.list();
  expect(others).toEqual([]);
  expect(orphan).toMatchObject({ kind: "orphaned", commitId: "theirs", reason: null });
  const receipt = await orphan?.retry();
  expect(receipt).toMatchObject({ commitId: "theirs", events: [{ status: "pending" }] });
  expect(await one.store.refusals.list()).toEqual([]);
  await one.store.sync.now();
  await expect.poll(() => one.store.view(balances).get("account-a")).toMatchObject({ balance: 3 });

  two.online(true);
  await two.pass(60_000);
  await two.store.sync.now();
  expect(server.commits.map(({ id }) => id)).toEqual(["mine", "theirs"]);
  expect(await two.log()).toEqual(await one.log());
  await expect.poll(() => two.store.view(balances).get("account-a")).toMatchObject({ balance: 3 });
});

test("a tab whose connection was lost when the log became shorter shows what is written after that", async () => {
  const server = fakeServer();
  const [leader, other] = [await device(server), await device(server)];
  await leader.pass(1_000);
  const tab = await device(server, { of: leader });
  await other.store.append("account-a", [opened("ann")]);
  for (const amount of [1, 2, 3]) {
    await other.store.execute(account, "a", deposit(amount));
  }
  await other.store.sync.now();
  await leader.store.sync.now();
  await tab.engine.log.catchUpAsOwn();
  expect(await tab.store.view(balances).get("account-a")).toMatchObject({ balance: 6 });
  tab.tab.freeze(true);
  other.online(false);
  server.restore(1);
  await leader.pass(5_000);
  await leader.store.sync.now();
  leader.online(false);
  await tab.lose();

  await tab.store.execute(account, "a", deposit(10));
  expect(await tab.store.view(balances).get("account-a")).toMatchObject({ balance: 10 });
  await tab.store.execute(account, "a", deposit(10));

  expect(await tab.store.view(balances).get("account-a")).toMatchObject({ balance: 20 });
  tab.tab.freeze(false);
});

test("a live list of refusals loses an orphan that its own device has given back", async () => {
  const server = fakeServer();
  const [one, two] = [await device(server), await device(server)];
  await two.store.execute(account, "a", deposit(2), { commitId: "theirs" });
  await two.store.sync.now();
  await one.store.sync.now();
  two.online(false);
  server.restore(0);
  await one.pass(5_000);
  const listed: (readonly string[] | undefined)[] = [];
  one.store.refusals.watch().subscribe(({ value }) => void listed.push(value?.map(({ commitId }) => commitId)));
  await one.pass(10);

  two.online(true);
  await two.pass(5_000);
  await one.pass(5_000);

  expect(listed).toEqual([["theirs"], []]);
});

test("all is offered again without asking, if the app says so", async () => {
  const server = fakeServer();
  const [one, two] = [await device(server, { sync: { recover: "auto" } }), await device(server)];
  await two.store.execute(account, "a", deposit(2), { commitId: "theirs" });
  await two.store.sync.now();
  await one.store.sync.now();
  two.online(false);

  server.restore(0);
  await one.pass(5_000);
  await one.store.sync.now();

  expect(server.commits).toMatchObject([{ id: "theirs", mode: "fact", attempt: 2 }]);
  expect(await one.store.refusals.list()).toEqual([]);
});

test("who waits for rows of what the server lost is answered with those that are left", async () => {
  const server = fakeServer();
  const [one, two] = [await device(server), await device(server)];
  await one.store.append("account-a", [opened("ann"), deposited(1)], { commitId: "mine" });
  await one.store.sync.now();
  await expect.poll(() => one.store.view(balances).get("account-a")).toMatchObject({ balance: 1 });
  await two.store.execute(account, "a", deposit(2), { commitId: "theirs" });
  await two.store.sync.now();
  two.online(false);
  await one.engine.connection.call(async (core) => {
    const write = core.writeRows.bind(core);
    vi.spyOn(core, "writeRows").mockImplementationOnce(async (rows) => {
      server.restore(0);
      await one.pass(5_000);
      expect(one.engine.log.confirmedPosition()).toBe(2);
      return write(rows);
    });
  });

  await one.store.sync.now();

  expect(await one.store.view(balances).get("account-a")).toMatchObject({ balance: 1 });
  expect(one.engine.log.confirmedPosition()).toBe(2);
});

test("streams that are rebuilt while the server is found to have lost events are folded without these", async () => {
  const counts = defineProjection({
    name: "counts",
    version: 1,
    partition: "stream",
    from: [account],
    key: (event) => event.streamId,
    evolve: (row: { events: number } | undefined) => ({ events: (row?.events ?? 0) + 1 }),
  });
  const server = fakeServer();
  const projections = [counts] as const;
  const [one, two] = [await device(server, { projections }), await device(server)];
  const counted = async () =>
    (await (one.store as unknown as Store<[], [], typeof projections>).view(counts).list())[0];
  await one.store.append("account-a", [opened("ann"), deposited(1)], { commitId: "mine" });
  await one.store.sync.now();
  await two.store.execute(account, "a", deposit(2), { commitId: "theirs" });
  await two.store.sync.now();
  await one.store.sync.now();
  two.online(false);
  expect(await counted()).toMatchObject({ row: { events: 3 } });
  await one.engine.connection.call(async (core) => {
    const write = core.writeRows.bind(core);
    vi.spyOn(core, "writeRows").mockImplementationOnce(async (rows) => {
      server.restore(0);
      await one.pass(5_000);
      expect(one.engine.log.confirmedPosition()).toBe(2);
      await expect.poll(counted).toMatchObject({ row: { events: 2 } });
      return write(rows);
    });
  });

  await one.store.rebuild(counts as never, { streams: ["account-a"] });

  await expect.poll(counted).toMatchObject({ row: { events: 2 } });
});

test("rows that an older app keeps in memory lose what the server lost, though as much has taken its place", async () => {
  const server = fakeServer();
  const newer: typeof balances = { ...balances, version: 2 };
  const [one, two] = [await device(server, { projections: [newer] }), await device(server)];
  await one.store.append("account-a", [opened("ann"), deposited(1)], { commitId: "mine" });
  await one.store.sync.now();
  await two.store.execute(account, "a", deposit(2), { commitId: "theirs" });
  await two.store.sync.now();
  await one.store.sync.now();
  two.online(false);
  const older = await device(server, { of: one });
  const balance = async () => (await older.store.view(balances).get("account-a"))?.balance;
  await expect.poll(balance).toBe(3);
  expect(older.codes()).toContain("app-outdated");
  let hear = () => {};
  const heard = new Promise<void>((resolve) => {
    hear = resolve;
  });
  await older.engine.connection.call(async (core) => {
    const catchUp = core.catchUp.bind(core);
    vi.spyOn(core, "catchUp").mockImplementation(() => heard.then(catchUp));
  });

  server.restore(0);
  await one.pass(5_000);
  await one.store.execute(account, "a", deposit(10));
  await one.store.sync.now();
  hear();
  await older.engine.log.catchUp();

  expect(older.engine.log.confirmedPosition()).toBe(3);
  await expect.poll(balance).toBe(11);
});
