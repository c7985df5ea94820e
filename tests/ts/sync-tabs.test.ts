/**
 * Tabs of one device: one of them talks to the server, all append and see everything.
 */
import { expect, test } from "vitest";
import { device } from "./device.js";
import { fakeServer } from "./fake-server.js";
import { account, balances, deposit, withdraw } from "./ledger.js";

async function tabs() {
  const server = fakeServer();
  const leader = await device(server);
  await leader.pass(1_000);
  const follower = await device(server, { of: leader });
  /** Tabs in memory hear nothing of each other's writes by themselves. */
  const look = async () => {
    await leader.engine.log.catchUp();
    await leader.pass(1_000);
    await follower.engine.log.catchUp();
    await leader.pass(100);
  };
  return { server, leader, follower, look };
}

test("a tab that does not lead sees how it stands, and its work is confirmed", async () => {
  const { leader, follower, look } = await tabs();

  const receipt = await follower.store.execute(account, "a", deposit(3));
  const confirming = receipt.confirmed();
  await look();

  expect(await confirming).toMatchObject({ changed: false, state: { balance: 3 } });
  expect(leader.store.sync.status()).toMatchObject({ leader: true, state: "idle", pending: 0, commits: 1 });
  expect(follower.store.sync.status()).toMatchObject({ leader: false, state: "idle", pending: 0, commits: 1 });
  expect((await follower.store.view(balances).list()).length).toBe(0);
});

test("what the server confirmed and what it brought is told to the other tabs by the one that leads", async () => {
  const { server, leader, follower, look } = await tabs();
  const tells: string[] = [];
  for (const [name, { engine }] of Object.entries({ leader, follower })) {
    engine.log.onChange(({ own }) => {
      if (own) {
        tells.push(name);
      }
    });
  }
  await follower.store.execute(account, "a", deposit(3));
  expect(tells).toEqual(["follower"]);

  await look();
  expect(tells).toEqual(["follower", "leader"]);

  server.add({ id: "theirs", streams: [{ streamId: "x", events: [{ type: "t", schemaVersion: 1, occurredAt: 1 }] }] });
  await look();
  expect(tells).toEqual(["follower", "leader", "leader"]);
});

test("a tab that is opened beside the one that leads knows at once what is confirmed", async () => {
  const server = fakeServer();
  const leader = await device(server);
  await leader.store.execute(account, "a", deposit(3));
  await leader.pass(1_000);

  const follower = await device(server, { of: leader });
  await leader.pass(100);

  const { commits, hash } = leader.store.sync.status();
  expect(commits).toBe(1);
  expect(follower.store.sync.status()).toMatchObject({ leader: false, commits, hash });
});

test("now, pause and resume reach the tab that leads", async () => {
  const { server, leader, follower } = await tabs();
  const before = server.requests.length;
  await follower.store.sync.now();
  expect(server.requests.length).toBe(before + 1);

  follower.store.sync.pause();
  await leader.pass(10);
  expect(server.tails()).toBe(0);
  await expect(leader.store.sync.now()).rejects.toMatchObject({ code: "sync-unavailable" });
  await expect(follower.store.sync.now()).rejects.toMatchObject({ code: "sync-unavailable" });

  leader.store.sync.resume();
  await leader.pass(1_000);
  expect(server.tails()).toBe(1);
  expect(follower.store.sync.status()).toMatchObject({ state: "idle" });
});

test("when the tab that leads is closed, the other one goes on with what it left", async () => {
  const { server, leader, follower } = await tabs();
  leader.online(false);
  await leader.store.execute(account, "a", deposit(3));

  await leader.store.close();
  await follower.engine.log.catchUp();
  await follower.pass(5_000);

  expect(follower.store.sync.status()).toMatchObject({ leader: true, state: "idle", pending: 0 });
  expect(server.commits).toHaveLength(1);
});

test.each([1, 2, 3, 4, 5, 6])("a tab that takes over goes on although storage call %i fails", async (call) => {
  const { server, leader, follower } = await tabs();
  await follower.store.execute(account, "a", deposit(3));
  await follower.engine.connection.call(async (core) => core.failStorage(call, "quota"));

  await leader.store.close();
  await follower.pass(60_000);

  expect(server.commits).toHaveLength(1);
  expect(follower.store.sync.status()).toMatchObject({ leader: true, state: "idle", pending: 0, blockedBy: null });
});

test("a leader that was frozen changes nothing when it wakes up", async () => {
  const { server, leader, follower } = await tabs();
  leader.tab.freeze(true);
  await follower.pass(15_000);
  expect(follower.store.sync.status()).toMatchObject({ leader: true });

  await follower.store.execute(account, "a", deposit(3));
  await follower.pass(1_000);
  leader.tab.freeze(false);
  await leader.pass(5_000);
  await leader.engine.log.catchUp();

  expect(server.commits).toHaveLength(1);
  expect(await leader.log()).toEqual(await follower.log());
  expect([leader, follower].filter(({ store }) => store.sync.status().leader)).toHaveLength(1);
  expect(leader.codes()).toEqual([]);
});

test("a tab that loses the lead while it takes it over leaves the server to the other one", async () => {
  const { server, leader, follower } = await tabs();
  const { connection } = follower.engine;
  const call = connection.call;
  let wake = () => {};
  let calls = 0;
  leader.tab.freeze(true);
  await follower.pass(9_000);
  // The first thing that it does as the leader takes until it is awake again.
  Object.assign(connection, {
    call: async (use: Parameters<typeof call>[0]) => {
      calls += 1;
      if (calls === 1) {
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      }
      return call(use);
    },
  });
  await follower.pass(5_000);
  expect(follower.store.sync.status()).toMatchObject({ leader: true });
  follower.tab.freeze(true);
  leader.tab.freeze(false);
  await leader.pass(15_000);

  follower.tab.freeze(false);
  wake();
  await leader.pass(60_000);

  expect([leader, follower].map(({ store }) => store.sync.status().leader)).toEqual([true, false]);
  expect(server.tails()).toBe(1);
});

test("a tab that lacks a definition hands over to one that has it", async () => {
  const server = fakeServer();
  const poor = await device(server, { aggregates: [], decisions: [], projections: [] });
  await poor.pass(1_000);
  const rich = await device(server, { of: poor });
  const other = await device(server);
  poor.online(false);
  rich.online(false);
  await rich.store.execute(account, "a", deposit(3));
  await poor.engine.log.catchUp();
  await other.store.execute(account, "a", deposit(4));
  await other.pass(1_000);

  poor.online(true);
  rich.online(true);
  await poor.pass(30_000);
  await rich.engine.log.catchUp();
  await poor.pass(30_000);

  expect(rich.store.sync.status()).toMatchObject({ leader: true, pending: 0 });
  expect(server.commits).toHaveLength(2);
  expect((await rich.store.load(account, "a")).state.balance).toBe(7);
});

test("a dismissed refusal is gone in all tabs", async () => {
  const { leader, follower } = await tabs();
  let news = 0;
  follower.store.refusals.watch().subscribe(() => void news++);
  await leader.pass(10);
  const before = news;
  await leader.store.refusals.dismiss("nobody");
  await leader.pass(10);

  expect(news).toBe(before);
  expect(await follower.store.refusals.list()).toEqual([]);
});

/** A tab beside the one that leads: it is frozen, and its connection lost, while its withdrawal `mine` is refused in a merge. */
async function lostInMerge() {
  const server = fakeServer();
  const leader = await device(server);
  await leader.store.execute(account, "a", deposit(10));
  await leader.pass(1_000);
  const tab = await device(server, { of: leader });
  const other = await device(server);
  leader.online(false);
  const told: (readonly [string, string])[] = [];
  tab.store.subscribe(
    {},
    ({ kind, commits }) => void told.push(...commits.map(({ commitId }) => [kind, commitId] as const)),
  );
  await tab.store.execute(account, "a", withdraw(1), { commitId: "mine" });
  await tab.pass(1_000);
  tab.tab.freeze(true);
  await other.pass(1_000);
  await other.store.execute(account, "a", withdraw(10), { commitId: "theirs" });
  await other.pass(1_000);
  leader.online(true);
  await leader.engine.log.catchUp();
  await leader.pass(60_000);
  expect((await leader.store.load(account, "a")).state.balance).toBe(0);
  await tab.lose();
  return { tab, told };
}

test("a command is decided on what a merge left, though its connection was lost and opened again meanwhile", async () => {
  const { tab } = await lostInMerge();

  await expect(tab.store.execute(account, "a", withdraw(9))).rejects.toMatchObject({ code: "refused" });

  tab.tab.freeze(false);
});

test("a subscription hears what was refused while its connection was lost", async () => {
  const { tab, told } = await lostInMerge();
  expect(told).toEqual([["appended", "mine"]]);

  await tab.store.load(account, "a", { fresh: true });

  await expect
    .poll(() => told.slice(1))
    .toEqual([
      ["appended", "theirs"],
      ["refused", "mine"],
    ]);
  tab.tab.freeze(false);
});
