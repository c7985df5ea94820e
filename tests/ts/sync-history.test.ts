/**
 * Histories that do not follow on each other: sync turned on later, and a server that was restored.
 */
import { expect, test } from "vitest";
import { device } from "./device.js";
import { fakeServer } from "./fake-server.js";
import { account, balances, deposit, deposited, opened } from "./ledger.js";

/** A device with a history of its own that opens its store again, with sync. */
async function later(server: ReturnType<typeof fakeServer>, adopt?: "empty" | "rebase") {
  const before = await device(server, { sync: "off" });
  await before.store.append("account-a", [opened("Ann")]);
  await before.store.execute(account, "a", deposit(5));
  expect((await before.store.stats()).pending).toBe(0);
  await before.engine.close();
  return device(server, { of: before, sync: { adopt } });
}

test("a history becomes the beginning of an empty space", async () => {
  const server = fakeServer();
  const one = await later(server, "empty");
  await one.pass(60_000);
  await one.store.execute(account, "a", deposit(1));
  await one.pass(5_000);
  const two = await device(server);
  await two.pass(5_000);

  expect(server.commits).toHaveLength(3);
  expect(one.store.sync.status()).toMatchObject({ state: "idle", pending: 0, commits: 3, hash: server.hash() });
  expect(await two.log()).toEqual(await one.log());
  expect(await one.store.view(balances).get("account-a")).toEqual({ owner: "Ann", balance: 6 });
});

test("a history that takes long to upload is not given up while the server answers", async () => {
  const server = fakeServer();
  const { fetch, requests } = server;
  const before = await device(server, { sync: "off" });
  for (let number = 1; number <= 8; number += 1) {
    await before.store.append("account-a", [deposited(number)]);
  }
  await before.engine.close();
  const slow: typeof fetch = async (address, init) => {
    if (init.method === "POST") {
      await new Promise<void>((resolve) => before.tab.after(30_000, resolve));
    }
    return fetch(address, init);
  };
  const one = await device({ ...server, fetch: slow }, { of: before, sync: { batchSize: 1 } });
  await one.pass(10);

  const now = one.store.sync.now();
  await one.pass(250_000);
  await now;

  expect(requests.filter((kind) => kind === "capabilities")).toHaveLength(1);
  expect(one.store.sync.status()).toMatchObject({ state: "idle", lastError: null, commits: 8, hash: server.hash() });
});

test("a history is uploaded in parts as small as the server takes", async () => {
  const server = fakeServer();
  const before = await device(server, { sync: "off" });
  for (let number = 1; number <= 9; number += 1) {
    await before.store.append("account-a", [deposited(number)]);
  }
  await before.engine.close();
  const sizes: number[] = [];
  const small: typeof server.fetch = async (address, init) => {
    if (init.method === "POST") {
      const { length } = (JSON.parse(init.body as string) as { readonly commits: readonly unknown[] }).commits;
      sizes.push(length);
      if (length > 2) {
        server.fail("push", { status: 413, problem: "payload-too-large" });
      }
    }
    return server.fetch(address, init);
  };
  const one = await device({ ...server, fetch: small }, { of: before });

  await one.pass(5_000);

  expect(sizes).toEqual([9, 4, 2, 2, 2, 2, 1]);
  expect(one.store.sync.status()).toMatchObject({ state: "idle", blockedBy: null, commits: 9, hash: server.hash() });
});

test("a history goes on top of what a space has", async () => {
  const server = fakeServer();
  const two = await device(server);
  await two.store.execute(account, "b", deposit(9));
  await two.pass(5_000);
  const one = await later(server, "rebase");
  await one.pass(60_000);
  await two.pass(5_000);

  expect(server.commits).toHaveLength(3);
  expect(one.store.sync.status()).toMatchObject({ state: "idle", pending: 0, hash: server.hash() });
  expect(await two.log()).toEqual(await one.log());
  expect(await one.store.view(balances).get("account-a")).toEqual({ owner: "Ann", balance: 5 });
  expect((await one.store.load(account, "b")).state.balance).toBe(9);
});

test("histories on both sides stay as they are unless it is said what becomes of them", async () => {
  const server = fakeServer();
  const two = await device(server);
  await two.store.execute(account, "b", deposit(9));
  await two.pass(5_000);
  const one = await later(server);
  await one.pass(60_000);

  expect(server.commits).toHaveLength(1);
  expect(one.store.sync.status()).toMatchObject({ state: "blocked", blockedBy: { code: "sync-diverged" } });
  expect((await one.store.load(account, "a")).state.balance).toBe(5);
});

test("a history of which a commit is refused stays, and goes on top once the app says so", async () => {
  const server = fakeServer();
  const isRefused = ({ streams }: { streams: readonly { events: readonly { type: string }[] }[] }) =>
    streams.some(({ events }) => events.some(({ type }) => type === "account.deposited"));
  const forbidden = { type: "urn:everfold:problem:write-forbidden", title: "no" };
  server.refuse((commit) => (isRefused(commit) ? forbidden : undefined));
  const one = await later(server, "empty");
  await one.pass(60_000);

  const { blockedBy, state } = one.store.sync.status();
  expect([state, blockedBy?.code]).toEqual(["blocked", "sync-diverged"]);
  expect(blockedBy?.message).toMatch(/of the history.*write-forbidden/);
  expect((await one.store.load(account, "a")).state.balance).toBe(5);
  await one.engine.close();
  const again = await device(server, { of: one, sync: { adopt: "rebase" } });
  await again.pass(60_000);

  expect(again.store.sync.status()).toMatchObject({ state: "idle", pending: 0, hash: server.hash() });
  expect(await again.store.refusals.list()).toMatchObject([
    { kind: "refused", reason: { code: "write-forbidden", message: "no" } },
  ]);
  expect((await again.store.load(account, "a")).state.balance).toBe(0);
});

test("after a server was restored own work goes there again, and that of others is offered", async () => {
  const server = fakeServer();
  const [one, two] = [await device(server), await device(server)];
  await one.store.execute(account, "a", deposit(1));
  await one.pass(5_000);
  await one.store.execute(account, "a", deposit(2), { commitId: "mine" });
  await two.pass(5_000);
  await two.store.execute(account, "b", deposit(3), { commitId: "theirs" });
  await two.pass(5_000);
  await one.pass(5_000);
  expect(server.commits).toHaveLength(3);
  await two.store.close();

  server.restore(1);
  await one.pass(6 * 60_000);
  await one.store.sync.now();
  await one.pass(100);

  expect(server.commits.map(({ id }) => id).slice(1)).toEqual(["mine"]);
  expect(one.store.sync.status()).toMatchObject({ state: "idle", pending: 0, hash: server.hash() });
  const [orphan, ...others] = await one.store.refusals.list();
  expect(others).toEqual([]);
  expect(orphan).toMatchObject({ kind: "orphaned", commitId: "theirs", events: [{ data: { amount: 3 } }] });
  expect((await one.store.load(account, "b")).version).toBe(0);

  await orphan?.retry();
  await one.pass(5_000);
  expect(server.commits.map(({ id }) => id).slice(1)).toEqual(["mine", "theirs"]);
  expect((await one.store.load(account, "b")).state.balance).toBe(3);
  expect(await one.store.refusals.list()).toEqual([]);
});
