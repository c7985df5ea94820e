/**
 * Two stores and a server: what is done offline, in which order, and what comes of it.
 */
import { expect, test } from "vitest";
import { type Device, device } from "./device.js";
import { fakeServer } from "./fake-server.js";
import { account, balances, deposit, opened, transfer, withdraw } from "./ledger.js";
import { all } from "./opened.js";

/** Everybody has pushed and pulled. */
async function meet(...devices: Device[]) {
  for (let round = 0; round < 2; round += 1) {
    for (const each of devices) {
      await each.pass(1_000);
      await each.store.sync.now();
      await each.pass(1_000);
    }
  }
}

const balance = async ({ store }: Device, id: string) => (await store.load(account, id)).state.balance;
const row = async ({ store }: Device, id: string) => (await store.view(balances).get(`account-${id}`))?.balance;

test("what is done online is confirmed, and another device has it", async () => {
  const server = fakeServer();
  const [one, two] = [await device(server), await device(server)];

  const receipt = await one.store.execute(account, "a", deposit(5));
  expect(receipt.events[0]?.status).toBe("pending");
  expect(await one.store.outcome(receipt.commitId)).toBe("pending");
  await one.pass(5_000);
  const confirmed = await receipt.confirmed();
  await two.pass(5_000);

  expect(confirmed).toMatchObject({ changed: false, version: 1, position: 1, state: { balance: 5 } });
  expect(confirmed.events[0]).toMatchObject({ status: "confirmed", type: "account.deposited" });
  expect(await one.store.outcome(receipt.commitId)).toBe("confirmed");
  expect(await balance(two, "a")).toBe(5);
  expect(await two.log()).toEqual(await one.log());
  expect(one.store.sync.status()).toMatchObject({ state: "idle", pending: 0, confirmedPosition: 1, leader: true });
  expect((await one.store.stats()).pending).toBe(0);
});

test("devices that were offline end with the same log, and the same balances", async () => {
  const server = fakeServer();
  const [one, two] = [await device(server, { online: false }), await device(server, { online: false })];
  await one.store.append("account-a", [opened("Ann")]);
  for (let number = 1; number <= 20; number += 1) {
    await one.store.execute(account, "a", deposit(number));
    await two.store.execute(account, "b", deposit(number));
    await two.store.execute(account, "a", deposit(1));
  }
  expect((await one.store.stats()).pending).toBe(21);
  expect(await row(one, "a")).toBe(210);
  expect(one.store.sync.status()).toMatchObject({ pending: 21 });

  // First the one that opens the account: rows know no deposit before that.
  one.online(true);
  await one.pass(5_000);
  two.online(true);
  await meet(one, two);

  expect(server.commits).toHaveLength(61);
  expect(await two.log()).toEqual(await one.log());
  expect([await balance(one, "a"), await balance(two, "a")]).toEqual([230, 230]);
  expect([await row(one, "a"), await row(two, "a")]).toEqual([230, 230]);
  expect(await one.store.refusals.list()).toEqual([]);
  expect((await one.store.verify()).problems).toEqual([]);
});

test("a store that has never reached the server keeps what is done, and its reads see it", async () => {
  const server = fakeServer();
  const one = await device(server, { online: false });

  await one.store.append("account-a", [opened("Ann")]);
  await one.store.execute(account, "a", deposit(7));
  await one.pass(120_000);

  expect(one.store.sync.status()).toMatchObject({ state: "offline", pending: 2, confirmedPosition: 0 });
  expect((await all(one.store.read())).map(({ status }) => status)).toEqual(["pending", "pending"]);
  expect(await row(one, "a")).toBe(7);
  expect(await one.store.view(balances).list({ index: "balance" })).toHaveLength(1);
});

test("an answer that is lost does no work twice", async () => {
  const server = fakeServer();
  const one = await device(server);
  await one.pass(1_000);
  server.fail("push", "drop-answer", "drop-answer");

  const receipt = await one.store.execute(account, "a", deposit(5));
  await one.pass(60_000);

  expect(await receipt.confirmed()).toMatchObject({ changed: false, state: { balance: 5 } });
  expect(server.commits).toHaveLength(1);
  expect(await balance(one, "a")).toBe(5);
});

test("what the server has before a commit of another device decides it again", async () => {
  const server = fakeServer();
  const [one, two] = [await device(server), await device(server)];
  await one.store.execute(account, "a", deposit(100));
  await meet(one, two);
  two.online(false);
  const late = await two.store.execute(account, "a", withdraw(80));
  const after = await two.store.execute(transfer, { from: "a", to: "b", amount: 10 });
  const free = await two.store.execute(account, "c", deposit(1));
  await one.store.execute(account, "a", withdraw(90));
  await one.pass(5_000);

  two.online(true);
  await meet(two, one);

  await expect(late.confirmed()).rejects.toMatchObject({ code: "refused", details: { commitId: late.commitId } });
  expect(await two.store.outcome(late.commitId)).toBe("refused");
  expect(await after.confirmed()).toMatchObject({ changed: false });
  expect(await free.confirmed()).toMatchObject({ changed: false });
  expect(await two.log()).toEqual(await one.log());
  expect(await balance(one, "a")).toBe(0);
  const [refusal, ...others] = await two.store.refusals.list();
  expect(others).toEqual([]);
  expect(refusal).toMatchObject({
    commitId: late.commitId,
    kind: "refused",
    command: withdraw(80),
    definition: { name: "account", version: 1 },
    reason: { code: "refused", message: "not enough money: 10 is left" },
    stateSeen: [{ streamId: "account-a", version: 2, state: { balance: 10, frozen: false } }],
    events: [{ type: "account.withdrawn", data: { amount: 80 } }],
  });
});

test("a transfer that a refused withdrawal paid for is refused, too", async () => {
  const server = fakeServer();
  const [one, two] = [await device(server), await device(server)];
  await one.store.execute(account, "a", deposit(100));
  await meet(one, two);
  two.online(false);
  await two.store.execute(transfer, { from: "a", to: "b", amount: 80 });
  await two.pass(1);
  await two.store.execute(account, "b", withdraw(80));
  await one.store.execute(account, "a", withdraw(90));
  await one.pass(5_000);

  two.online(true);
  await meet(two, one);

  const refusals = await two.store.refusals.list();
  expect(refusals.map(({ reason }) => reason?.message)).toEqual([
    "not enough money: 10 is left",
    "not enough money: 0 is left",
  ]);
  expect(await two.log()).toEqual(await one.log());
  expect([await row(two, "a"), await balance(two, "b")]).toEqual([undefined, 0]);
});

test("the first page of what is missed is small, as the browser compiles what reads it in the same task", async () => {
  const server = fakeServer();
  server.page(1_000);
  const writer = await device(server);
  await Promise.all(
    Array.from({ length: 300 }, (_, number) => writer.store.execute(account, "a", deposit(number + 1))),
  );
  await meet(writer);
  const limits: number[] = [];
  const noting: typeof server = {
    ...server,
    fetch(address, init) {
      const limit = new URL(address).searchParams.get("limit");
      if (limit !== null) limits.push(Number(limit));
      return server.fetch(address, init);
    },
  };

  const reader = await device(noting);
  await meet(reader);

  const [first = 0, second = 0] = limits;
  expect(first).toBeLessThan(300);
  expect(second).toBeGreaterThan(first);
  expect(await reader.log()).toEqual(await writer.log());
});

test.each(["forward", "backward"] as const)(
  "who reads %s over a merge gets each pending event once",
  async (direction) => {
    const server = fakeServer();
    const one = await device(server);
    await one.pass(1_000);
    one.online(false);
    const written: string[] = [];
    for (let number = 0; number < 10; number += 1) {
      const { events } = await one.store.append("notes", new Array(1_000).fill({ type: "noted" }));
      written.push(...events.map(({ eventId }) => eventId));
    }
    server.add({
      id: "theirs",
      streams: [{ streamId: "others", events: new Array(50).fill({ type: "noted", schemaVersion: 1, occurredAt: 1 }) }],
    });

    const read: string[] = [];
    for await (const events of one.store.read({ direction, streamId: "notes" }).batches()) {
      read.push(...events.map(({ eventId }) => eventId));
      one.online(true);
      await one.pass(1_000);
    }

    expect(one.store.sync.status().commits).toBeGreaterThan(0);
    expect(read).toEqual(direction === "forward" ? written : written.reverse());
  },
);

test("who reads over a merge gets what was pending behind what is confirmed", async () => {
  const server = fakeServer();
  const one = await device(server);
  for (let number = 0; number < 10; number += 1) {
    await one.store.append("notes", new Array(1_000).fill({ type: "noted" }));
  }
  await one.pass(5_000);
  await one.store.sync.now();
  one.online(false);
  const { commitId } = await one.store.append("notes", [{ type: "noted" }]);
  server.add({
    id: "theirs",
    streams: [{ streamId: "notes", events: [{ type: "noted", schemaVersion: 1, occurredAt: 1 }] }],
  });

  const read: string[] = [];
  for await (const event of one.store.read()) {
    if (read.push(event.commitId) === 1) {
      one.online(true);
      await one.pass(1_000);
    }
  }

  expect(new Set(read).size).toBe(12);
  expect(read.at(-1)).toBe(commitId);
});
