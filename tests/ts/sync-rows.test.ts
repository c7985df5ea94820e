/**
 * Rows, states and what is pending: whatever happens on two devices, reading is as if the whole log had just been folded.
 */
import fc from "fast-check";
import { expect, test, vi } from "vitest";
import type { Core } from "../../ts/core.js";
import { defineProjection } from "../../ts/projection.js";
import type { ListQuery, Store, View } from "../../ts/types.js";
import { type Device, device } from "./device.js";
import { type FakeServer, fakeServer } from "./fake-server.js";
import { account, balances, deposit, deposited, opened, transfer, withdraw } from "./ledger.js";
import { until } from "./tab.js";

const id = fc.constantFrom("a", "b", "c");
const amount = fc.integer({ min: 1, max: 9 });
const work = fc.oneof(
  fc.record({ kind: fc.constant("open" as const), id }),
  fc.record({ kind: fc.constantFrom("deposit" as const, "withdraw" as const), id, amount }),
  fc.record({ kind: fc.constant("transfer" as const), id, to: id, amount }),
);
const step = fc.oneof(
  { weight: 4, arbitrary: fc.record({ who: fc.nat(1), work }) },
  { weight: 1, arbitrary: fc.record({ who: fc.nat(1), online: fc.boolean() }) },
  { weight: 1, arbitrary: fc.record({ pass: fc.constantFrom(10, 2_000) }) },
);

async function run({ store }: Device, asked: typeof work extends fc.Arbitrary<infer W> ? W : never): Promise<void> {
  try {
    switch (asked.kind) {
      case "open":
        await store.append(`account-${asked.id}`, [opened(`owner of ${asked.id}`)]);
        break;
      case "deposit":
        await store.execute(account, asked.id, deposit(asked.amount));
        break;
      case "withdraw":
        await store.execute(account, asked.id, withdraw(asked.amount));
        break;
      case "transfer":
        await store.execute(transfer, { from: asked.id, to: asked.to, amount: asked.amount });
    }
  } catch (error) {
    expect(error).toMatchObject({ code: "refused" });
  }
}

const queries: ListQuery<never, "balance" | "owner">[] = [
  {},
  { index: "balance" },
  { index: "balance", reverse: true, limit: 2 },
  { index: "owner", gt: "owner of a" },
];

/** Reads in every way what the log says. */
async function check(one: Device): Promise<void> {
  const { store, engine } = one;
  const view = store.view(balances);
  const stands = () => [engine.log.position(), engine.log.confirmedPosition(), engine.log.rebases()].join();
  const before = stands();
  const then = await store.project(balances);
  const pairs: [unknown, unknown][] = [];
  for (const query of queries) {
    pairs.push([await view.list(query as never), await then.list(query as never)]);
  }
  pairs.push([await view.count(), await then.count()]);
  for (const each of ["a", "b", "c"]) {
    pairs.push([await view.get(`account-${each}`), await then.get(`account-${each}`)]);
    pairs.push([await store.load(account, each), await store.load(account, each, { atVersion: 1_000 })]);
  }
  then.dispose();
  if (stands() !== before) {
    // Something was pulled meanwhile.
    await check(one);
    return;
  }
  for (const [found, expected] of pairs) {
    expect(found).toEqual(expected);
  }
}

test("law: rows and states are those of the log, at every step of two devices", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 5, maxLength: 25 }), async (steps) => {
      const server = fakeServer();
      const devices = [await device(server), await device(server)] as const;
      for (const next of steps) {
        if ("pass" in next) {
          await devices[0].pass(next.pass);
          await devices[1].pass(next.pass);
        } else {
          const who = devices[next.who] as Device;
          if ("work" in next) {
            await run(who, next.work);
          } else {
            who.online(next.online);
          }
        }
        await check(devices[0]);
        await check(devices[1]);
      }
      for (const each of [...devices, ...devices]) {
        each.online(true);
        await each.pass(5_000);
        await each.store.sync.now();
        await each.pass(100);
      }
      await check(devices[0]);

      expect(await devices[1].log()).toEqual(await devices[0].log());
      expect(devices[0].store.sync.status()).toMatchObject({ pending: 0, hash: server.hash() });
      expect(devices.flatMap(({ problems }) => problems)).toEqual([]);
      for (const { store } of devices) {
        expect(await store.verify()).toEqual({ ok: true, problems: [] });
        await store.close();
      }
    }),
    { numRuns: 15 },
  );
}, 60_000);

test("a live list shows what is pending, and what becomes of it", async () => {
  const server = fakeServer();
  const one = await device(server, { online: false });
  await one.store.append("account-a", [opened("Ann")]);
  const live = one.store.view(balances).watch({ index: "balance" });
  const shown: string[] = [];
  live.subscribe(({ value = [] }) => void shown.push(value.map(({ row }) => `${row.owner} ${row.balance}`).join()));
  await one.pass(100);

  await vi.waitFor(() => expect(shown).toEqual(["Ann 0"]));
  await one.store.execute(account, "a", deposit(5));
  await vi.waitFor(() => expect(shown).toEqual(["Ann 0", "Ann 5"]));
  one.online(true);
  await one.pass(5_000);
  await one.store.view(balances).count();

  expect(shown).toEqual(["Ann 0", "Ann 5"]);
  expect(one.store.view(balances).checkpoint()).toBe(2);
});

test("a live row says once that something pending cannot be folded, and does not ask again and again", async () => {
  let tries = 0;
  const superstitious = defineProjection({
    name: "superstitious",
    version: 1,
    from: [account],
    events: ["account.deposited"],
    key: (event) => event.streamId,
    evolve(row: number = 0, { data }) {
      // Without an end nobody would ever see that it is tried too often.
      if (data.amount === 13 && ++tries < 50) {
        throw new Error("thirteen");
      }
      return row + data.amount;
    },
  });
  const one = await device(fakeServer(), { projections: [superstitious] });
  const view = (one.store as unknown as Store<[], [], [typeof superstitious]>).view(superstitious);
  await one.store.execute(account, "a", deposit(5));
  await one.store.sync.now();
  one.online(false);
  const states: unknown[] = [];
  view.watch("account-a").subscribe(({ status, value }) => states.push(value ?? status));
  await until(() => states.length === 1);

  await one.store.execute(account, "b", deposit(13));
  await until(() => states.length >= 2);

  expect(states).toEqual([5, "failed"]);
  await expect(view.count()).rejects.toMatchObject({ code: "projection-failed" });
  expect(tries).toBe(1);
});

test("a snapshot never covers what is pending", async () => {
  const server = fakeServer();
  const one = await device(server, { online: false });
  for (let number = 0; number < 120; number += 1) {
    await one.store.execute(account, "a", deposit(1));
  }
  // What idle time would do has been done.
  await new Promise<void>((resolve) => one.engine.idle.later("last", async () => resolve()));
  expect((await one.store.stats()).snapshots).toBe(0);

  one.online(true);
  await one.pass(5_000);
  await one.store.sync.now();
  one.engine.log.restart({ position: 120, confirmed: 120, pending: 0, merges: 0 });
  await one.store.load(account, "a");

  await vi.waitFor(async () => expect((await one.store.stats()).snapshots).toBe(1), { timeout: 4_000 });
});

test("rows are rebuilt to the end of what is confirmed", async () => {
  const server = fakeServer();
  const one = await device(server);
  await one.store.append("account-a", [opened("Ann")]);
  await one.pass(2_000);
  one.online(false);
  await one.store.execute(account, "a", deposit(5));

  await one.store.rebuild(balances);

  expect(await one.store.view(balances).get("account-a")).toEqual({ owner: "Ann", balance: 5 });
  const [stored] = (await one.store.stats()).projections;
  expect(stored).toMatchObject({ checkpoint: 2, lag: 0 });
});

test("a log is as short as it is once the last pending commit is refused", async () => {
  const server = fakeServer();
  const one = await device(server);
  await one.store.append("account-a", [opened("Ann")]);
  await one.pass(5_000);
  server.refuse(({ id }) =>
    id === "late" ? { type: "urn:everfold:problem:write-forbidden", title: "no" } : undefined,
  );

  await one.store.append("account-a", [deposited(5)], { commitId: "late" });
  expect(one.engine.log.position()).toBe(2);
  await one.pass(5_000);

  expect(await one.store.outcome("late")).toBe("refused");
  expect([one.engine.log.position(), one.engine.log.confirmedPosition()]).toEqual([1, 1]);
  expect(await one.store.view(balances).get("account-a")).toMatchObject({ balance: 0 });
});

test("what is pending is folded once, however many pushes bring it to the server", async () => {
  const server = fakeServer();
  let folds = 0;
  const counting = defineProjection({
    name: "counting",
    version: 1,
    from: [account],
    key: (event) => event.streamId,
    evolve(row: { events: number } | undefined) {
      folds += 1;
      return { events: (row?.events ?? 0) + 1 };
    },
  });
  const one = await device(server, { online: false, projections: [counting], sync: { batchSize: 5 } });
  const pending = 60;
  for (let number = 0; number < pending; number++) {
    await one.store.append(`account-${number % 7}`, [opened("Ann")]);
  }
  const view = one.store.view(counting as never) as unknown as View<{ events: number }>;
  const sum = async () => (await view.list()).reduce((events, { row }) => events + row.events, 0);
  view.watch({}).subscribe(() => undefined);
  await one.pass(100);
  expect(await sum()).toBe(pending);
  folds = 0;
  const reads: Promise<readonly number[]>[] = [];
  const end = one.store.sync.subscribe(() => void reads.push(Promise.all([sum(), view.count()])));
  one.online(true);

  await one.pass(5_000);
  end();

  expect(one.store.sync.status().pending).toBe(0);
  expect(new Set((await Promise.all(reads)).map(String))).toEqual(new Set(["60,7"]));

  expect(server.requests.filter((kind) => kind === "push").length).toBeGreaterThan(10);
  // Into what is stored, and nothing else.
  expect(folds).toBe(pending);
});

/** Commits of another device: `events` accounts opened in each. */
function others(server: FakeServer, commits: number, events: number): void {
  for (let number = 0; number < commits; number += 1) {
    const streams = Array.from({ length: events }, (_, index) => ({
      streamId: `account-${number}-${index}`,
      events: [{ type: "account.opened", schemaVersion: 1, occurredAt: 1, data: { owner: "Ann" } }],
    }));
    server.add({ id: `other-${server.commits.length}`, streams });
  }
}

test.each([
  [3, 2],
  [40, 50],
])("after a first sync of %i commits of %i events, rows show all that was pulled", async (commits, events) => {
  const server = fakeServer();
  others(server, commits, events);
  const one = await device(server);

  await one.store.sync.now();

  expect(await one.store.view(balances).count()).toBe(commits * events);
  expect((await one.store.view(balances).list()).length).toBe(commits * events);
});

test("once now resolves, rows show what was pulled, in a tab that does not lead too", async () => {
  const server = fakeServer();
  const leader = await device(server);
  await leader.pass(1_000);
  const follower = await device(server, { of: leader });
  await leader.pass(100);
  expect(await follower.store.view(balances).count()).toBe(0);
  others(server, 2, 2);

  await follower.store.sync.now();

  expect((await follower.store.view(balances).list()).length).toBe(4);
});

/** Its core, so that a test may do something in the middle of a call. */
function coreOf({ engine }: Device): Promise<Core> {
  return engine.connection.call(async (core) => core);
}

test("what is pending is folded once, though another tab moves the rows below meanwhile", async () => {
  const server = fakeServer();
  const leader = await device(server, { sync: { batchSize: 1 } });
  await leader.pass(1_000);
  const follower = await device(server, { of: leader });
  const balanceIn = async ({ store }: Device) => (await store.view(balances).get("account-a"))?.balance;
  await follower.store.append("account-a", [opened("Ann")]);
  await leader.engine.log.catchUp();
  await leader.pass(5_000);
  await follower.engine.log.catchUp();
  expect([await balanceIn(leader), await balanceIn(follower)]).toEqual([0, 0]);
  leader.online(false);
  await follower.store.execute(account, "a", deposit(5));
  await follower.store.execute(account, "a", deposit(7));
  await leader.engine.log.catchUp();
  const core = await coreOf(follower);
  const rows = core.rows.bind(core);
  server.fail("push", "none", "hang");
  const confirmOne = vi.spyOn(core, "rows").mockImplementationOnce(async (...asked) => {
    leader.online(true);
    while (leader.engine.log.confirmedPosition() < 2) {
      await leader.pass(10);
    }
    expect(await balanceIn(leader)).toBe(12);
    return rows(...asked);
  });

  expect(await balanceIn(follower)).toBe(12);
  expect(confirmOne).toHaveBeenCalled();
  expect([follower.engine.log.confirmedPosition(), follower.engine.log.position()]).toEqual([2, 3]);
});

test("a view as of then is of one log, though what is pending moves while it is read", async () => {
  const server = fakeServer();
  const one = await device(server, { online: false });
  await one.store.append("account-a", [opened("Ann")]);
  let balance = 0;
  for (let commit = 0; commit < 5; commit += 1) {
    const amounts = Array.from({ length: 1_000 }, (_, place) => commit * 1_000 + place);
    balance += amounts.reduce((sum, amount) => sum + amount);
    await one.store.append("account-a", amounts.map(deposited));
  }
  const core = await coreOf(one);
  const read = core.read.bind(core);
  let moved = false;
  vi.spyOn(core, "read").mockImplementation(async (query) => {
    if (!moved && JSON.parse(query).afterPosition > 2_000) {
      moved = true;
      others(server, 10, 30);
      one.online(true);
      await one.store.sync.now();
      expect(one.engine.log.position()).toBe(5_301);
    }
    return read(query);
  });

  const then = await one.store.project(balances);

  expect(await then.get("account-a")).toEqual({ owner: "Ann", balance });
  expect(await then.count()).toBe(301);
  expect(then.checkpoint()).toBe(5_301);
});
