/**
 * What a merge makes of commits: decided again, changed, refused, kept as facts, blocked; and what the app does then.
 */
import { afterEach, expect, test, vi } from "vitest";
import { defineAggregate } from "../../ts/aggregate.js";
import { isEverfoldError } from "../../ts/errors.js";
import type { Event } from "../../ts/event.js";
import type { CommitNotice, Refusal } from "../../ts/types.js";
import { type Device, device } from "./device.js";
import { fakeServer } from "./fake-server.js";
import { account, deposit, deposited, withdraw, withdrawn } from "./ledger.js";
import { all } from "./opened.js";

type CartEvent = Event<"cart.filled", { items: number }>;
let broken = false;
let decided: () => void = () => undefined;

/** Fills up to ten: what is decided depends on what is there. */
const cart = defineAggregate({
  name: "cart",
  version: 1,
  initialState: () => ({ items: 0 }),
  decide: (command: { type: "Fill"; data: { items: number } }, state): CartEvent => {
    decided();
    if (broken) {
      throw new TypeError("a bug");
    }
    if (state.items >= 10) {
      throw { reason: "full", items: state.items };
    }
    return { type: "cart.filled", data: { items: Math.min(command.data.items, 10 - state.items) } };
  },
  evolve: (state, event) => ({ items: state.items + event.data.items }),
});
const fill = (items: number) => ({ type: "Fill" as const, data: { items } });

const shop = { aggregates: [cart, account], decisions: [], projections: [] } as const;

/** `two` works offline while `one` is first. */
async function merge(one: Device, two: Device, offline: () => Promise<unknown>, first: () => Promise<unknown>) {
  await two.pass(1_000);
  two.online(false);
  await offline();
  await first();
  await one.pass(2_000);
  two.online(true);
  await two.pass(60_000);
  await two.store.sync.now();
  await one.pass(2_000);
}

async function shops(options: Parameters<typeof device>[1] = {}) {
  const server = fakeServer();
  const open = (more = {}) => device<typeof shop.aggregates, readonly [], readonly []>(server, { ...shop, ...more });
  const [one, two] = [await open(), await open(options)];
  return { server, one, two, open };
}

test("a command that comes to something else is changed, and keeps its id, time and metadata", async () => {
  const { one, two, server } = await shops();
  let receipt = await two.store.execute(cart, "x", fill(1));
  await two.pass(1_000);

  await merge(
    one as never,
    two as never,
    async () => {
      const options = { occurredAt: 5, metadata: { by: "bob" }, commitId: "mine" };
      receipt = await two.store.execute(cart, "x", fill(6), options);
    },
    () => one.store.execute(cart, "x", fill(5)),
  );

  const confirmed = await receipt.confirmed();
  expect(confirmed).toMatchObject({ changed: true, commitId: "mine", state: { items: 10 }, version: 3 });
  expect(confirmed.events).toMatchObject([
    { data: { items: 4 }, attempt: 2, occurredAt: 5, metadata: { by: "bob" }, status: "confirmed" },
  ]);
  expect(await two.store.outcome("mine")).toBe("changed");
  expect(server.commits[2]).toMatchObject({ id: "mine", attempt: 2, command: fill(6), subject: "ann" });
  const [changed] = await two.store.refusals.list();
  expect(changed).toMatchObject({
    kind: "changed",
    commitId: "mine",
    events: [{ data: { items: 6 } }],
    eventsNow: [{ data: { items: 4 } }],
  });
  expect(await two.log()).toEqual(await one.log());
});

test("a call that is made again is told that a merge changed what came of it", async () => {
  const { one, two } = await shops();
  const again = () => two.store.execute(cart, "x", fill(6), { commitId: "mine" });

  await merge(one as never, two as never, again, () => one.store.execute(cart, "x", fill(5)));

  const confirmed = await (await again()).confirmed();
  expect(confirmed).toMatchObject({ changed: true, events: [{ data: { items: 5 }, status: "confirmed" }] });
});

test("metadata that one event has of its own stays with it when its command is decided again", async () => {
  type PairEvent = Event<"pair.first" | "pair.second", { number: number }>;
  const pair = defineAggregate({
    name: "pair",
    version: 1,
    initialState: () => ({ events: 0 }),
    decide: (_: { type: "Both" }): PairEvent[] => [
      { type: "pair.first", data: { number: 1 }, metadata: { 'of "one"': true } },
      { type: "pair.second", data: { number: 2 } },
    ],
    evolve: ({ events }) => ({ events: events + 1 }),
  });
  const server = fakeServer();
  const options = { aggregates: [pair], decisions: [], projections: [] } as const;
  const open = () => device<typeof options.aggregates, readonly [], readonly []>(server, options);
  const [one, two] = [await open(), await open()];
  let receipt = await two.store.execute(pair, "y", { type: "Both" });

  await merge(
    one as never,
    two as never,
    async () => {
      receipt = await two.store.execute(pair, "x", { type: "Both" }, { metadata: { by: "bob" } });
    },
    () => one.store.append("pair-x", [{ type: "pair.first", data: { number: 0 } }]),
  );

  const { changed, events } = await receipt.confirmed();
  expect(changed).toBe(false);
  expect(events.map(({ metadata }) => metadata)).toEqual([{ by: "bob", 'of "one"': true }, { by: "bob" }]);
  expect(await two.store.refusals.list()).toEqual([]);
});

test("a commit whose id another device used for something else is refused, and can be done under another one", async () => {
  const { one, two } = await shops();
  let receipt = await two.store.execute(account, "z", deposit(1));

  await merge(
    one as never,
    two as never,
    async () => {
      receipt = await two.store.execute(account, "b", deposit(7), { commitId: "same" });
    },
    () => one.store.execute(account, "a", deposit(5), { commitId: "same" }),
  );

  await expect(receipt.confirmed()).rejects.toMatchObject({ code: "refused", cause: { code: "commit-id-reused" } });
  expect((await two.store.load(account, "b")).state.balance).toBe(0);
  const [refusal] = await two.store.refusals.list();
  expect(refusal).toMatchObject({ commitId: "same", command: deposit(7), reason: { code: "commit-id-reused" } });
  await refusal?.retry();
  await two.store.sync.now();
  expect((await two.store.load(account, "b")).state.balance).toBe(7);
});

test("what a decider refuses with is kept if it is JSON, and the hook may make up for it", async () => {
  const heard: Refusal[] = [];
  const { one, two } = await shops({
    sync: {
      onRefused: async (refusal, store) => {
        heard.push(refusal);
        await store.append("apologies", [{ type: "said", data: refusal.commitId }]);
        throw new Error("the hook is not perfect");
      },
    },
  });

  await merge(
    one as never,
    two as never,
    () => two.store.execute(cart, "x", fill(6), { commitId: "late" }),
    () => one.store.execute(cart, "x", fill(10)),
  );

  expect(heard).toMatchObject([
    { commitId: "late", kind: "refused", reason: { code: "refused", cause: { reason: "full", items: 10 } } },
  ]);
  expect((await all(one.store.read({ streamId: "apologies" }))).map(({ data }) => data)).toEqual(["late"]);
  expect(two.problems.map(({ message }) => message)).toContain("the hook is not perfect");
});

test("a refusal can be tried again, as another commit, and dismissed", async () => {
  const { one, two } = await shops();
  await one.store.execute(account, "a", deposit(10));
  await one.pass(1_000);
  await merge(
    one as never,
    two as never,
    () => two.store.execute(account, "a", withdraw(8), { commitId: "w" }),
    () => one.store.execute(account, "a", withdraw(5)),
  );
  const live = two.store.refusals.watch();
  const counts: number[] = [];
  live.subscribe(({ value }) => void counts.push(value?.length ?? -1));
  await two.pass(10);
  const [refusal] = await two.store.refusals.list();

  await expect(refusal?.retry()).rejects.toMatchObject({ code: "refused" });
  expect(await two.store.refusals.list()).toHaveLength(1);
  await two.store.execute(account, "a", deposit(10));
  const receipt = await refusal?.retry();
  await two.pass(2_000);

  expect(receipt).toMatchObject({ commitId: "w~", events: [{ type: "account.withdrawn", causationId: "w" }] });
  expect(await two.store.refusals.list()).toEqual([]);
  expect(await two.store.outcome("w")).toBe("refused");
  expect(await two.store.outcome("w~")).toBe("confirmed");
  expect(counts).toEqual([1, 0]);
  await expect(two.store.execute(account, "a", withdraw(8), { commitId: "w" })).rejects.toMatchObject({
    code: "refused",
  });
});

test("events that were refused are offered again in the shape that the app writes by now", async () => {
  const server = fakeServer();
  const refused = { type: "urn:everfold:problem:rule-refused" };
  server.refuse(({ id }) => (id === "bad" ? refused : undefined));
  const bag = (schemaVersion: number) =>
    defineAggregate({
      name: "bag",
      version: schemaVersion,
      initialState: () => ({ items: 0 }),
      decide: (): Event<"bag.filled", { items?: number; count?: number }>[] => [],
      evolve: ({ items }, { data }) => ({ items: items + ((schemaVersion === 1 ? data.items : data.count) ?? 0) }),
      schemaVersions: { "bag.filled": schemaVersion },
      upcasters:
        schemaVersion === 1 ? {} : { "bag.filled": { 1: (data) => ({ count: (data as { items: number }).items }) } },
    });
  const only = (aggregate: ReturnType<typeof bag>) => ({ aggregates: [aggregate], decisions: [], projections: [] });
  const [early, late] = [bag(1), bag(2)];
  const before = await device(server, only(early));
  await before.store.append("bag-x", [{ type: "bag.filled", data: { items: 3 } }], { commitId: "bad" });
  await before.pass(2_000);
  const after = await device<readonly [typeof late], readonly [], readonly []>(server, { ...only(late), of: before });
  await before.store.close();
  await after.pass(2_000);

  await after.store.refusals.retry("bad");

  expect((await after.store.load(late, "x")).state).toEqual({ items: 3 });
  expect(await all(after.store.read())).toMatchObject([{ schemaVersion: 2, data: { count: 3 } }]);
});

test("a fact that the server refused is offered again as it was, even against a rule", async () => {
  const { server, one } = await shops();
  server.refuse(({ id }) => (id === "bad" ? { type: "urn:everfold:problem:rule-refused" } : undefined));
  await one.store.execute(account, "a", deposit(10));
  const options = { commitId: "bad", mode: "fact", occurredAt: 5, metadata: { by: "bob" } } as const;
  await one.store.execute(account, "a", withdraw(8), options);
  await one.store.sync.now();
  await one.store.execute(account, "a", withdraw(9));

  const receipt = await one.store.refusals.retry("bad");

  expect(receipt.events).toMatchObject([{ ...withdrawn(8), occurredAt: 5, metadata: { by: "bob" } }]);
  expect((await one.store.load(account, "a")).state.balance).toBe(-7);
});

test("a refusal is tried again with what it was given, and as of now where it was given no time", async () => {
  const { server, one } = await shops();
  server.refuse(({ id }) => (id.endsWith("~") ? undefined : { type: "urn:everfold:problem:rule-refused" }));
  const given = { metadata: { by: "bob" }, correlationId: "order-1" };
  await one.store.execute(account, "a", deposit(1), { ...given, occurredAt: 5, commitId: "command" });
  await one.store.append("account-a", [deposited(2)], { ...given, occurredAt: 5, commitId: "fact" });
  await one.store.execute(account, "a", deposit(3), { commitId: "now" });
  await one.pass(2_000);
  await one.store.sync.now();

  for (const refusal of await one.store.refusals.list()) {
    await refusal.retry();
  }

  const [command, fact, now, ...others] = await all(one.store.read());
  expect(command).toMatchObject({ ...deposited(1), ...given, occurredAt: 5, causationId: "command" });
  expect(fact).toMatchObject({ ...deposited(2), ...given, occurredAt: 5, causationId: "fact" });
  expect(now).toMatchObject({ ...deposited(3), occurredAt: one.tab.now() });
  expect(now && "metadata" in now).toBe(false);
  expect(others).toEqual([]);
});

test("a fact keeps its events and only moves; a rule that it breaks is told", async () => {
  const { one, two } = await shops();
  await one.store.execute(account, "a", deposit(10));
  await one.pass(1_000);
  const appended: string[] = [];

  await merge(
    one as never,
    two as never,
    async () => {
      appended.push((await two.store.append("account-a", [withdrawn(1)])).commitId);
      appended.push((await two.store.execute(account, "a", withdraw(8), { mode: "fact" })).commitId);
    },
    () => one.store.execute(account, "a", withdraw(9)),
  );

  expect(await Promise.all(appended.map((id) => two.store.outcome(id)))).toEqual(["confirmed", "confirmed"]);
  expect((await one.store.load(account, "a")).state.balance).toBe(-8);
  expect(two.problems).toMatchObject([{ code: "rule-violated", details: { commitId: appended[1] } }]);
  expect(await two.store.refusals.list()).toEqual([]);
});

test("events that expected a version are refused as a conflict, and offered again as they were", async () => {
  const { one, two } = await shops();

  await merge(
    one as never,
    two as never,
    () => two.store.append("account-a", [deposited(1)], { expectedVersion: "no-stream", commitId: "first" }),
    () => one.store.append("account-a", [deposited(2)]),
  );
  const [refusal] = await two.store.refusals.list();
  expect(refusal).toMatchObject({ kind: "refused", reason: { code: "conflict" }, events: [{ data: { amount: 1 } }] });
  expect(refusal && "command" in refusal).toBe(false);

  await refusal?.retry();
  await two.pass(2_000);

  expect((await two.store.load(account, "a")).state.balance).toBe(3);
  expect(await two.store.refusals.list()).toEqual([]);
});

test("a decide that fails by a bug leaves its commit pending, says so, and is asked again", async () => {
  const { one, two, server } = await shops();
  await merge(
    one as never,
    two as never,
    async () => {
      await two.store.execute(cart, "x", fill(2), { commitId: "stuck" });
      await two.store.execute(cart, "y", fill(2), { commitId: "free" });
      broken = true;
    },
    async () => {
      broken = false;
      await one.store.execute(cart, "x", fill(1));
      broken = true;
    },
  ).catch((error) => expect(isEverfoldError(error)).toBe(true));

  expect(await two.store.outcome("stuck")).toBe("pending");
  expect(two.store.sync.status()).toMatchObject({ blockedBy: { code: "decide-failed" } });
  expect(two.codes().filter((code) => code === "decide-failed").length).toBeGreaterThan(0);

  broken = false;
  await two.pass(10 * 60_000);
  expect(await two.store.outcome("stuck")).toBe("confirmed");
  expect(await two.store.outcome("free")).toBe("confirmed");
  expect(server.commits).toHaveLength(3);
  expect(await two.store.refusals.list()).toEqual([]);
});

test("a pause in the middle of a merge gives no commit the events of another", async () => {
  const { one, two } = await shops();
  const carts = [1, 2, 3, 4, 5];
  const ask = async () => {
    for (const number of carts) {
      await one.store.append(`cart-${number}`, [{ type: "cart.filled", data: { items: 1 } }]);
    }
    let calls = 0;
    decided = () => {
      calls += 1;
      if (calls === 2) {
        two.online(false);
        two.store.sync.pause();
        two.store.sync.resume();
      }
    };
  };

  await merge(
    one as never,
    two as never,
    () => Promise.all(carts.map((number) => two.store.execute(cart, `${number}`, fill(number)))),
    ask,
  );
  decided = () => undefined;

  const filled = await Promise.all(carts.map((number) => one.store.load(cart, `${number}`)));
  expect(filled.map(({ state }) => state.items)).toEqual([2, 3, 4, 5, 6]);
  expect(await two.store.refusals.list()).toEqual([]);
});

test("a subscription hears what is appended, confirmed, rebased and refused", async () => {
  const { one, two } = await shops();
  await one.store.execute(account, "a", deposit(10));
  await one.pass(1_000);
  await two.pass(1_000);
  const heard: string[] = [];
  const note = ({ kind, commits }: CommitNotice) => {
    heard.push(...commits.map(({ commitId, events }) => `${kind} ${commitId} ${events.map(({ version }) => version)}`));
  };
  two.store.subscribe({ afterPosition: 0 }, note as never);
  await two.pass(10);
  heard.splice(0);

  await merge(
    one as never,
    two as never,
    async () => {
      await two.store.execute(account, "a", withdraw(8), { commitId: "no" });
      await two.store.execute(account, "a", deposit(1), { commitId: "moves" });
      await two.store.execute(account, "b", deposit(1), { commitId: "stays" });
      await two.pass(10);
      expect(heard).toEqual(["appended no 2", "appended moves 3", "appended stays 1"]);
      heard.splice(0);
    },
    () => one.store.execute(account, "a", withdraw(5), { commitId: "theirs" }),
  );

  expect(heard).toContain("appended theirs 2");
  expect(heard.some((line) => line.startsWith("refused no"))).toBe(true);
  expect(heard).toContain("confirmed moves 3");
  expect(heard).toContain("confirmed stays 1");
  expect(heard.filter((line) => line.endsWith("stays 1"))).toEqual(["confirmed stays 1"]);
});

afterEach(() => {
  broken = false;
});

test("a receipt that is asked for again in the middle of a merge has all events, or says that there are none", async () => {
  const notes = {
    streamId: "notes",
    events: new Array(3).fill({ type: "noted" }),
    expectedVersion: "no-stream",
  } as const;
  const orders = { streamId: "orders", events: [{ type: "bought" }, { type: "paid" }] } as const;
  const asked = async (wanted: typeof notes | typeof orders) => {
    const { one, two } = await shops();
    await two.pass(1_000);
    two.store.sync.pause();
    await two.store.commit([notes], { commitId: "notes" });
    await two.store.commit([orders], { commitId: "orders" });
    await one.store.append("notes", [{ type: "noted" }]);
    await one.pass(2_000);
    await two.engine.connection.call(async (core) => {
      const read = core.read.bind(core);
      vi.spyOn(core, "read").mockImplementationOnce(async (query) => {
        two.store.sync.resume();
        await two.pass(60_000);
        return read(query);
      });
    });
    return two.store.commit([wanted], { commitId: wanted.streamId });
  };

  expect((await asked(orders)).events).toMatchObject([{ type: "bought" }, { type: "paid" }]);
  await expect(asked(notes)).rejects.toMatchObject({ code: "refused", cause: { code: "conflict" } });
});

test("a waiting confirmation ends with the store, and with its signal", async () => {
  const { two } = await shops({ online: false });
  const receipt = await two.store.execute(cart, "x", fill(1));
  const abort = new AbortController();
  const aborted = receipt.confirmed({ signal: abort.signal });
  const closed = receipt.confirmed();
  await two.pass(1_000);

  abort.abort(new Error("enough"));
  await expect(aborted).rejects.toMatchObject({ code: "aborted" });
  const closing = two.store.close();
  await expect(closed).rejects.toMatchObject({ code: "store-closed" });
  await closing;
});

test("a refusal is tried again however long its id is, and takes effect once", async () => {
  const { one, two } = await shops();
  const commitId = "x".repeat(512);
  await one.store.execute(account, "a", deposit(10));
  await one.pass(2_000);
  await merge(
    one as never,
    two as never,
    () => two.store.execute(account, "a", withdraw(8), { commitId }),
    () => one.store.execute(account, "a", withdraw(8)),
  );
  const [refusal] = await two.store.refusals.list();
  await one.store.execute(account, "a", deposit(10));
  await one.pass(2_000);
  await two.pass(2_000);

  const receipts = await Promise.all([refusal?.retry(), refusal?.retry()]);

  expect(new Set(receipts.map((receipt) => receipt?.commitId)).size).toBe(1);
  expect((await two.store.load(account, "a")).state.balance).toBe(4);
  expect(await two.store.refusals.list()).toEqual([]);
});
