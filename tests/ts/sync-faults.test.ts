/**
 * A network and a server that misbehave: what is done is neither lost nor done twice, and it is said what stands in the
 * way.
 */
import { expect, test } from "vitest";
import { device } from "./device.js";
import { type Fault, fakeServer, type RequestKind } from "./fake-server.js";
import { account, deposit } from "./ledger.js";

/** Longer than anything waits. */
const long = 6 * 60_000;
const day = 86_400_000;

test.each<[RequestKind, Fault]>([
  ["capabilities", "drop-request"],
  ["capabilities", "cut-body"],
  ["push", "drop-request"],
  ["push", "drop-answer"],
  ["push", "cut-body"],
  ["push", "hang"],
  ["push", { status: 429, problem: "rate-limited", retryAfter: 30 }],
  ["push", { status: 500 }],
  ["push", { status: 503, problem: "overloaded" }],
  ["push", { status: 413, problem: "payload-too-large" }],
  ["pull", "cut-body"],
  ["tail", { status: 503 }],
  ["tail", "hang"],
])("after a %s that ends as %j everything goes on", async (kind, fault) => {
  const server = fakeServer();
  server.fail(kind, fault, fault);
  const one = await device(server);
  for (let number = 0; number < 5; number += 1) {
    await one.store.execute(account, "a", deposit(1));
  }

  await one.pass(long);
  for (let failures = 0; failures < 3; failures += 1) {
    await one.store.sync.now().catch(() => undefined);
    await one.pass(long);
  }
  await one.store.sync.now();
  await one.pass(100);
  const two = await device(server);
  await two.pass(long);

  expect(server.commits).toHaveLength(5);
  expect(one.store.sync.status()).toMatchObject({ state: "idle", pending: 0, blockedBy: null, lastError: null });
  expect(await two.log()).toEqual(await one.log());
  expect(two.store.sync.status().hash).toBe(server.hash());
});

test("a page of something else in place of the capabilities is told as what it is", async () => {
  const server = fakeServer();
  let portal = true;
  const one = await device({
    ...server,
    fetch: (address, init) => (portal ? Promise.resolve(new Response("<html>")) : server.fetch(address, init)),
  });
  await one.pass(1_000);

  expect(one.codes()).toEqual(["sync-protocol"]);
  portal = false;
  await one.pass(600_000);
  expect(one.store.sync.status()).toMatchObject({ state: "idle", blockedBy: null });
});

test("where events are kept back on their way, others' commits come by asking", async () => {
  const server = fakeServer();
  server.fail("tail", "mute");
  const [one, two] = [await device(server), await device(server)];
  await one.pass(60_000);
  await two.pass(1_000);
  expect(server.tails()).toBe(2);

  await two.store.execute(account, "a", deposit(1));
  await two.pass(1_000);
  await one.pass(1_000);
  await two.store.execute(account, "a", deposit(2));
  await two.pass(1_000);
  await one.pass(1_000);

  expect(await one.log()).toEqual(await two.log());
  expect(one.store.sync.status()).toMatchObject({ state: "idle", commits: 2 });
});

test("a tail that the server takes for open still is ended by the next one of the device", async () => {
  const server = fakeServer();
  const deaf: typeof server.fetch = async (address, { signal, ...init }) => {
    const { body } = await server.fetch(address, init);
    return new Response(body?.pipeThrough(new TransformStream(), { preventCancel: true, ...(signal && { signal }) }));
  };
  const one = await device({ ...server, fetch: deaf });
  await one.pass(1_000);
  expect(server.tails()).toBe(1);

  await one.pass(60_000);

  expect(server.requests.filter((kind) => kind === "tail")).toHaveLength(2);
  expect(server.tails()).toBe(1);
});

test("a token that is not taken any more is asked for again, and nothing is lost meanwhile", async () => {
  const server = fakeServer();
  server.accept("old");
  const asked: boolean[] = [];
  let token = "old";
  const one = await device(server, {
    sync: {
      token: async ({ refresh }) => {
        asked.push(refresh);
        return token;
      },
    },
  });
  await one.store.execute(account, "a", deposit(1));
  await one.pass(1_000);
  expect(server.commits).toHaveLength(1);

  server.accept("new");
  server.cutTails();
  await one.store.execute(account, "a", deposit(2));
  await one.pass(1_000);
  expect(one.store.sync.status()).toMatchObject({
    state: "blocked",
    pending: 1,
    blockedBy: { code: "sync-unauthorized" },
  });
  expect(one.codes()).toContain("sync-unauthorized");

  token = "new";
  await one.pass(long);
  await one.store.sync.now();
  await one.pass(100);

  expect(one.store.sync.status()).toMatchObject({ state: "idle", pending: 0, blockedBy: null });
  expect(server.commits).toHaveLength(2);
  expect(asked[0]).toBe(false);
  expect(asked.slice(1)).not.toContain(false);
});

test("an app that gives no token keeps its work, and says why", async () => {
  const server = fakeServer();
  const one = await device(server, {
    sync: { token: () => Promise.reject(new Error("signed out")) },
  });
  const receipt = await one.store.execute(account, "a", deposit(1));

  await one.pass(60_000);

  expect(server.requests).toEqual([]);
  expect(one.store.sync.status()).toMatchObject({
    state: "blocked",
    pending: 1,
    blockedBy: { code: "sync-unauthorized", message: "sync.token gave no token: signed out" },
  });
  expect(await one.store.outcome(receipt.commitId)).toBe("pending");
  await expect(one.store.sync.now()).rejects.toMatchObject({ code: "sync-unauthorized" });
});

test("what the user has to put right is told once", async () => {
  const server = fakeServer();
  server.fail("push", ...Array.from({ length: 50 }, () => ({ status: 403, problem: "space-forbidden" })));
  const one = await device(server);
  await one.store.execute(account, "a", deposit(1));

  await one.pass(long);

  expect(one.store.sync.status()).toMatchObject({
    state: "blocked",
    blockedBy: { code: "sync-forbidden" },
    pending: 1,
  });
  expect(one.codes()).toEqual(["sync-forbidden"]);
});

test("a paused store leaves the server alone, and goes on when it is told", async () => {
  const server = fakeServer();
  const one = await device(server);
  one.store.sync.pause();
  const receipt = await one.store.execute(account, "a", deposit(1));

  await one.pass(long);

  expect(server.requests).toEqual([]);
  expect(one.store.sync.status()).toMatchObject({ state: "offline", pending: 1 });
  await expect(one.store.sync.now()).rejects.toMatchObject({ code: "sync-unavailable" });

  one.store.sync.resume();
  await one.pass(1_000);
  expect(await receipt.confirmed()).toMatchObject({ changed: false });
  expect(one.store.sync.status()).toMatchObject({ state: "idle", pending: 0 });
});

test("pausing ends the tail at once", async () => {
  const server = fakeServer();
  const one = await device(server);
  await one.pass(1_000);
  expect(server.tails()).toBe(1);

  one.store.sync.pause();
  await one.pass(1);

  expect(server.tails()).toBe(0);
});

test("a commit that the server never takes goes to the refusals, and the queue moves on", async () => {
  const server = fakeServer();
  server.refuse(({ command }) =>
    (command as { data?: { amount?: number } })?.data?.amount === 2
      ? { type: "urn:everfold:problem:rule-refused", title: "no", detail: "two is one too many" }
      : undefined,
  );
  const one = await device(server, { online: false });
  const receipts = [];
  for (const amount of [1, 2, 3]) {
    receipts.push(await one.store.execute(account, "a", deposit(amount)));
  }
  one.online(true);
  await one.pass(60_000);

  expect(server.commits).toHaveLength(2);
  expect((await one.store.load(account, "a")).state.balance).toBe(4);
  const refused = receipts[1]?.confirmed();
  await expect(refused).rejects.toMatchObject({ code: "refused", message: "two is one too many" });
  const [refusal] = await one.store.refusals.list();
  expect(refusal?.reason).toMatchObject({ code: "rule-refused", message: "two is one too many" });
});

test("work that waits for more than a day is told of", async () => {
  const server = fakeServer();
  const one = await device(server, { online: false });
  await one.store.execute(account, "a", deposit(1));

  one.outside.clock.advance(day);
  await one.pass(10_000);

  expect(one.store.sync.status().oldestPendingMs).toBe(day + 10_000);
  expect(one.codes()).toEqual(["pending-old"]);
});

test("a first sync comes in pages, and says how far it is", async () => {
  const server = fakeServer();
  const one = await device(server, { online: false });
  for (let number = 0; number < 60; number += 1) {
    await one.store.append(`notes-${number % 7}`, [{ type: "noted", data: { number } }]);
  }
  one.online(true);
  await one.pass(1_000);
  await one.store.sync.now();
  server.page(7);
  const two = await device(server);
  const seen: number[] = [];
  two.store.sync.subscribe(({ progress }) => {
    if (progress?.total === 60) {
      seen.push(progress.done);
    }
  });

  await two.pass(1_000);
  await two.store.sync.now();

  expect(await two.log()).toEqual(await one.log());
  expect(server.requests.filter((kind) => kind === "pull").length).toBeGreaterThanOrEqual(9);
  expect(seen.some((done) => done > 0 && done < 60)).toBe(true);
  expect(seen).toEqual([...seen].sort((one, other) => one - other));
});
