/**
 * `sync.now()`: what it waits for, and with what it rejects.
 */
import { expect, test } from "vitest";
import { defineAggregate, type Event } from "../../ts/index.js";
import { device } from "./device.js";
import { fakeServer } from "./fake-server.js";
import { account, deposit } from "./ledger.js";

/** How a call has ended so far. */
function watched(call: Promise<unknown>) {
  const ended = { as: "not yet" };
  call.then(
    () => {
      ended.as = "done";
    },
    (error: { readonly code?: string; readonly name?: string }) => {
      ended.as = error.code ?? error.name ?? "?";
    },
  );
  return ended;
}

test("while the server asks to wait it waits for as long, and asks nothing before", async () => {
  const server = fakeServer();
  server.fail("push", { status: 429, problem: "rate-limited", retryAfter: 30 });
  const one = await device(server);
  await one.pass(1_000);
  await one.store.execute(account, "a", deposit(1));
  await one.pass(5_000);
  const before = server.requests.length;

  const now = watched(one.store.sync.now());
  await one.pass(20_000);

  expect(now.as).toBe("not yet");
  expect(server.requests.length).toBe(before);
  expect(one.store.sync.status()).toMatchObject({ state: "offline", lastError: { code: "sync-unavailable" } });
  await one.pass(10_000);
  expect(now.as).toBe("done");
  expect(server.commits).toHaveLength(1);
});

test("its signal ends the waiting that the server asked for, not the work", async () => {
  const server = fakeServer();
  server.fail("push", { status: 503, problem: "overloaded", retryAfter: 30 });
  const one = await device(server);
  await one.store.execute(account, "a", deposit(1));
  await one.pass(5_000);
  const control = new AbortController();

  const now = watched(one.store.sync.now({ signal: control.signal }));
  await one.pass(1_000);
  control.abort();
  await one.pass(1);

  expect(now.as).toBe("aborted");
  await one.pass(60_000);
  expect(server.commits).toHaveLength(1);
});

test("without a network it rejects with what the request met", async () => {
  const server = fakeServer();
  const one = await device(server, { online: false });
  await one.store.execute(account, "a", deposit(1));

  await expect(one.store.sync.now()).rejects.toMatchObject({ code: "sync-unavailable" });

  expect(await one.store.sync.status()).toMatchObject({ pending: 1 });
});

test("beside what cannot be decided it brings the rest, and rejects with why", async () => {
  let broken = false;
  const fragile = defineAggregate({
    name: "fragile",
    version: 1,
    initialState: () => 0,
    decide: (_: { readonly type: "Hit" }): Event<"fragile.hit", number> => {
      if (broken) {
        throw new TypeError("a bug");
      }
      return { type: "fragile.hit", data: 1 };
    },
    evolve: (state, event) => state + event.data,
  });
  const shop = { aggregates: [fragile, account], decisions: [], projections: [] } as const;
  const server = fakeServer();
  const open = () => device<typeof shop.aggregates, readonly [], readonly []>(server, shop);
  const [one, two] = [await open(), await open()];
  await one.pass(1_000);
  one.online(false);
  server.cutTails();
  await one.store.execute(account, "free", deposit(1));
  const { commitId } = await one.store.execute(fragile, "a", { type: "Hit" });
  await two.store.execute(fragile, "a", { type: "Hit" });
  await two.pass(1_000);

  broken = true;
  one.online(true);
  const now = watched(one.store.sync.now());
  await one.pass(5_000);

  expect(now.as).toBe("decide-failed");
  expect(server.commits).toHaveLength(2);
  expect(one.store.sync.status()).toMatchObject({ state: "blocked", pending: 1, blockedBy: { code: "decide-failed" } });
  expect(await one.store.outcome(commitId)).toBe("pending");
  broken = false;
  await one.store.sync.now();
  expect(server.commits).toHaveLength(3);
});

test("in a tab that has lost the lead it ends as the new leader stands", async () => {
  const server = fakeServer();
  server.fail("push", { status: 429, problem: "rate-limited", retryAfter: 600 });
  const first = await device(server);
  await first.pass(1_000);
  const second = await device(server, { of: first });
  await first.store.execute(account, "a", deposit(1));
  await first.pass(1_000);
  const now = watched(first.store.sync.now());
  await first.pass(100);
  expect(now.as).toBe("not yet");

  first.tab.freeze(true);
  await second.pass(20_000);
  first.tab.freeze(false);
  await second.pass(10_000);

  expect(second.store.sync.status()).toMatchObject({ leader: true, pending: 0 });
  await first.engine.log.catchUp();
  await second.pass(10_000);
  expect(now.as).toBe("done");
});

test("asked for while nobody leads it is heard by whoever leads next, in another tab too", async () => {
  const server = fakeServer();
  const first = await device(server);
  await first.pass(1_000);
  const [second, third] = [await device(server, { of: first }), await device(server, { of: first })];
  await second.store.execute(account, "a", deposit(1));
  await third.engine.log.catchUp();
  first.tab.freeze(true);

  const calls = [watched(second.store.sync.now()), watched(third.store.sync.now())];
  await second.pass(30_000);

  expect(calls).toEqual([{ as: "done" }, { as: "done" }]);
  expect(server.commits).toHaveLength(1);
});

test("what was appended while a push was under way is pushed before it resolves", async () => {
  for (const count of [2, 3]) {
    const server = fakeServer();
    const one = await device(server);
    await one.pass(1_000);
    for (let number = 1; number <= count; number += 1) {
      await one.store.execute(account, "a", deposit(1));
    }

    await one.store.sync.now();

    expect(server.commits).toHaveLength(count);
  }
});

test("it brings what another tab wrote, although the one that leads has not heard of that", async () => {
  const server = fakeServer();
  const leader = await device(server);
  await leader.pass(1_000);
  const other = await device(server, { of: leader });
  await other.store.execute(account, "a", deposit(1));
  expect(leader.store.sync.status()).toMatchObject({ leader: true, pending: 0 });

  await other.store.sync.now();

  expect(server.commits).toHaveLength(1);
  expect(other.store.sync.status().pending).toBe(0);
});

test("a page that was fetched before does not answer it", async () => {
  const server = fakeServer();
  const [one, two] = [await device(server), await device(server, { sync: { live: false } })];
  await two.pass(1_000);
  two.online(false);
  for (let number = 1; number <= 3; number += 1) {
    await one.store.execute(account, "a", deposit(1));
  }
  await one.store.sync.now();
  server.page(2);
  const { log } = two.engine;
  const { synced } = log;
  let isFirst = true;
  let asked: Promise<void> | undefined;
  log.synced = async (...call) => {
    const answer = await synced(...call);
    if (isFirst) {
      isFirst = false;
      // The second page, the last one, is here by now.
      await two.outside.pass(0);
      await one.store.execute(account, "a", deposit(5));
      await one.store.sync.now();
      asked = two.store.sync.now();
    }
    return answer as never;
  };

  two.online(true);
  await two.pass(1_000);
  await asked;

  expect((await two.store.load(account, "a")).state.balance).toBe(8);
});
