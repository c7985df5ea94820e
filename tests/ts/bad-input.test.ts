/**
 * Bad input: each kind has its code, loses nothing and leaves the store usable.
 */
import { describe, expect, onTestFinished, test, vi } from "vitest";
import { defineAggregate } from "../../ts/aggregate.js";
import { defineDecision } from "../../ts/decision.js";
import { isEverfoldError } from "../../ts/errors.js";
import type { AnyEvent, Event } from "../../ts/event.js";
import { deleteStore, openStore } from "../../ts/open.js";
import { defineProjection } from "../../ts/projection.js";
import type { AnyStore } from "../../ts/types.js";
import { account, balances, deposit, deposited, opened as openedEvent, transfer, withdraw } from "./ledger.js";
import { all, opened } from "./opened.js";

const definitions = { aggregates: [account], decisions: [transfer], projections: [balances] } as const;

/** A store with two events; what is asked of it must fail, and change nothing. */
async function refuses(act: (store: AnyStore) => unknown, code: string, details: object = {}): Promise<void> {
  const { store } = await opened(definitions);
  await store.append("account-a", [openedEvent("Ann"), deposited(5)]);
  const before = await all(store.read());

  await expect((async () => act(store as AnyStore))()).rejects.toMatchObject({ code, details });

  expect(await all(store.read())).toEqual(before);
  const receipt = await store.execute(account, "a", withdraw(1));
  expect(receipt).toMatchObject({ version: 3, position: 3, state: { balance: 4 } });
  expect(await store.view(balances).get("account-a")).toEqual({ owner: "Ann", balance: 4 });
}

describe("an event that cannot be stored is invalid-event", () => {
  const deep: unknown[] = [];
  deep.push(deep);
  test.each<[string, unknown, string]>([
    ["no type", { data: {} }, "type"],
    ["no object", "deposited", ""],
    ["a Date", { type: "t", data: { items: [{ at: new Date(0) }] } }, "data.items[0].at"],
    ["a Map", { type: "t", data: new Map() }, "data"],
    ["a BigInt", { type: "t", data: { amount: 1n } }, "data.amount"],
    ["NaN", { type: "t", data: { amount: Number.NaN } }, "data.amount"],
    ["a function", { type: "t", data: { run() {} } }, "data.run"],
    ["a cycle", { type: "t", data: deep }, "data[0]"],
    ["a lone surrogate", { type: "t", data: { name: "\ud800" } }, "data.name"],
    ["metadata that is no object", { type: "t", metadata: "me" }, "metadata"],
    ["a time between milliseconds", { type: "t", occurredAt: 0.5 }, "occurredAt"],
  ])("%s", async (_, event, path) => {
    await refuses((store) => store.append("account-a", [deposited(1), event as AnyEvent]), "invalid-event", { path });
  });

  test("more than 256 KiB", async () => {
    // What counts is the commit as encoded, before any compression.
    const data = { text: Array.from({ length: 30_000 }, (_, index) => (index * 7919).toString(36)).join() };
    await refuses(
      (store) =>
        store.append("account-a", [
          { type: "t", data },
          { type: "t", data },
        ]),
      "invalid-event",
    );
  });

  test("more than 1,000 events", async () => {
    await refuses((store) => store.append("account-a", new Array(1_001).fill(deposited(1))), "invalid-event");
  });

  test("in a batch for ingest", async () => {
    await refuses((store) => store.ingest([[{ streamId: "account-a", type: "" }]]), "invalid-event", { path: "type" });
  });

  test("metadata of a commit", async () => {
    const metadata = { at: new Date(0) };
    await refuses((store) => store.execute(account, "a", deposit(1), { metadata }), "invalid-event", {
      path: "metadata.at",
    });
  });
});

describe("an argument that cannot be is invalid-argument", () => {
  const batches = [[{ streamId: "account-a", ...deposited(1) }]];

  test.each([
    ["empty", ""],
    ["too long", "x".repeat(513)],
    ["with a control character", "account-\n"],
    ["ill-formed", "account-\ud800"],
    ["no text", 7 as never],
  ])("a stream id that is %s", async (_, streamId) => {
    await refuses((store) => store.append(streamId, [deposited(1)]), "invalid-argument", { argument: "streamId" });
  });

  test("an id that is empty", async () => {
    await refuses((store) => store.execute(account, "", deposit(1)), "invalid-argument", { argument: "id" });
  });

  test.each([-1, 0.5, Number.NaN, 2 ** 53, "latest"])("a version %s", async (version) => {
    const expectedVersion = version as number;
    await refuses((store) => store.execute(account, "a", deposit(1), { expectedVersion }), "invalid-argument", {
      argument: "expectedVersion",
    });
    await refuses((store) => store.append("account-a", [deposited(1)], { expectedVersion }), "invalid-argument");
    await refuses((store) => store.load(account, "a", { atVersion: expectedVersion }), "invalid-argument", {
      argument: "atVersion",
    });
  });

  test("a command that JSON cannot hold", async () => {
    const command = { type: "Deposit", data: { amount: 1n } } as never;
    await refuses((store) => store.execute(account, "a", command), "invalid-argument", {
      argument: "command",
      path: "data.amount",
    });
  });

  test.each([
    ["aggregate", "sideways"],
    ["limit", { limit: -1 }],
    ["direction", { direction: "sideways" }],
    ["from", { from: "yesterday" }],
    ["afterPosition", { afterPosition: 0.5 }],
    ["types", { types: "account.opened" }],
    ["clock", { clock: "wall" }],
  ])("a query's %s", async (argument, query) => {
    const asked = typeof query === "string" ? { aggregate: query } : query;
    await refuses((store) => all(store.read(asked as never)), "invalid-argument", { argument });
  });

  test.each([-1, 1.5, Number.NaN])("a limit of %s streams", async (limit) => {
    await refuses((store) => all(store.streams(account, { limit })), "invalid-argument", { argument: "limit" });
  });

  const wrong = "no function" as never;
  test.each<[string, string, (store: AnyStore) => unknown]>([
    ["ingest", "onProgress", (store) => store.ingest(batches, { onProgress: wrong })],
    ["ingest", "onRefused", (store) => store.ingest(batches, { onRefused: wrong })],
    ["rebuild", "onProgress", (store) => store.rebuild(balances, { onProgress: wrong })],
    ["rebuild", "createWorker", (store) => store.rebuild(balances, { createWorker: wrong })],
    ["project", "onProgress", (store) => store.project(balances, { onProgress: wrong })],
  ])("for %s, an %s that is no function", async (_, argument, call) => {
    await refuses(call, "invalid-argument", { argument });
  });

  test.each<[string, (store: AnyStore, options: { signal: AbortSignal }) => unknown]>([
    ["load", (store, options) => store.load(account, "a", options)],
    ["read", (store, options) => all(store.read(options))],
    ["streams", (store, options) => all(store.streams(account, options))],
    ["ingest", (store, options) => store.ingest(batches, options)],
    ["rebuild", (store, options) => store.rebuild(balances, options)],
    ["confirmed", async (store, options) => (await store.append("account-b", [])).confirmed(options)],
  ])("for %s, a controller in the place of its signal", async (_, call) => {
    const signal = new AbortController() as unknown as AbortSignal;
    await refuses((store) => call(store, { signal }), "invalid-argument", { argument: "signal" });
  });

  test.each([1, "yes", null, {}])("an order that is %j", async (reverse) => {
    await refuses((store) => store.view(balances).list({ reverse: reverse as never }), "invalid-argument", {
      argument: "reverse",
    });
  });

  test.each([undefined, null, 5])("a key to watch that is %j", async (key) => {
    await refuses((store) => store.view(balances).watch(key as never), "invalid-argument", { argument: "query" });
  });

  test("an index that the projection does not have", async () => {
    await refuses((store) => store.view(balances).list({ index: "name" as never }), "invalid-argument", {
      argument: "index",
    });
  });
});

describe.each([null, 5, "a", true])("options that are %j are invalid-argument", (value) => {
  const wrong = value as never;
  const asked = async (call: (store: AnyStore) => unknown, argument = "options") =>
    refuses(call, "invalid-argument", { argument });

  test("in a call that writes", async () => {
    await asked((store) => store.execute(account, "a", deposit(1), wrong));
    await asked((store) => store.execute(transfer, { from: "a", to: "b", amount: 1 }, wrong));
    await asked((store) => store.append("account-a", [deposited(1)], wrong));
    await asked((store) => store.commit([{ streamId: "account-a", events: [deposited(1)] }], wrong));
    await asked((store) => store.commit([wrong]), "streams[0]");
    await asked((store) => store.ingest([], wrong));
    await asked((store) => store.import(new Blob(), wrong));
    await expect(deleteStore("nobody", wrong)).rejects.toMatchObject({ code: "invalid-argument" });
  });

  test("in a call that reads", async () => {
    await asked((store) => store.load(account, "a", wrong));
    await asked((store) => all(store.read(wrong)), "query");
    await asked((store) => store.subscribe(wrong, () => {}), "query");
    await asked((store) => all(store.streams(account, wrong)));
    await asked((store) => all(store.replay(account, "a", wrong)));
    await asked((store) => store.findFirst(account, "a", () => true, wrong));
    await asked((store) => store.view(balances).list(wrong), "query");
    await asked((store) => store.view(balances).list({ after: wrong }), "after");
    await asked((store) => store.project(balances, wrong));
  });

  test("in any other", async () => {
    await asked((store) => store.rebuild(balances, wrong));
    await asked((store) => store.compact(wrong));
    await asked((store) => store.verify(wrong));
    await asked((store) => store.export(wrong));
    await asked(async (store) => (await store.append("account-b", [])).confirmed(wrong));
  });
});

describe("definitions that do not fit are invalid-argument", () => {
  const counter = defineAggregate({
    name: "counter",
    version: 1,
    initialState: () => 0,
    decide: (_: { type: "Count" }): Event<"counted"> => ({ type: "counted" }),
    evolve: (state) => state + 1,
  });
  const counts = defineProjection({
    name: "counts",
    version: 1,
    key: () => "all",
    evolve: (row: number = 0) => row + 1,
  });

  test("one that is registered twice", async () => {
    await expect(opened({ aggregates: [account, account] })).rejects.toMatchObject({ code: "invalid-argument" });
    await expect(opened({ projections: [counts, counts] })).rejects.toMatchObject({ code: "invalid-argument" });
  });

  test("one that is used and not registered", async () => {
    await refuses((store) => store.execute(counter, "a", { type: "Count" }), "invalid-argument");
    await refuses((store) => store.load(counter, "a"), "invalid-argument");
    await refuses((store) => store.view(counts), "invalid-argument");
    await refuses((store) => store.rebuild(counts), "invalid-argument");
  });

  test("one that is none", async () => {
    await expect(opened({ aggregates: [{ name: "account" }] as never })).rejects.toMatchObject({
      code: "invalid-argument",
      details: { argument: "aggregates" },
    });
  });

  test("sync and reactors, until they come", async () => {
    await expect(opened({ sync: { url: "" } } as never)).rejects.toMatchObject({
      code: "invalid-argument",
      details: { argument: "sync" },
    });
    await expect(opened({ reactors: [{}] } as never)).rejects.toMatchObject({
      code: "invalid-argument",
      details: { argument: "reactors" },
    });
  });
});

describe("a decide that", () => {
  const deciding = (decide: () => unknown) =>
    defineAggregate({
      name: "odd",
      version: 1,
      initialState: () => ({ count: 0 }),
      decide: decide as (_: { type: "Go" }) => Event<"went">,
      evolve: (state) => ({ count: state.count + 1 }),
    });

  test.each<[string, () => unknown, string]>([
    ["returns a function has failed", () => Promise.reject, "decide-failed"],
    ["returns nothing has failed", () => undefined, "decide-failed"],
    ["returns a text has failed", () => "went", "decide-failed"],
    ["returns a list of something else has failed", () => [1], "decide-failed"],
    ["returns a promise has failed", async () => [], "decide-failed"],
    ["returns a promise that fails has failed", () => Promise.reject(new Error("later")), "decide-failed"],
    ["runs into a bug has failed", () => (undefined as unknown as { x: number }).x, "decide-failed"],
    [
      "changes the state has failed",
      ((_: unknown, state: { count: number }) => state.count++) as never,
      "decide-failed",
    ],
  ])("%s", async (_, decide, code) => {
    const odd = deciding(decide);
    const { store } = await opened({ aggregates: [odd] });

    await expect(store.execute(odd, "1", { type: "Go" })).rejects.toMatchObject({
      code,
      details: { definition: "odd" },
    });

    expect(await store.load(odd, "1")).toEqual({ state: { count: 0 }, version: 0 });
  });

  test("throws refuses with what it threw as the cause", async () => {
    const { store } = await opened(definitions);

    const error = await store.execute(account, "a", withdraw(1)).catch((thrown: unknown) => thrown);

    expect(isEverfoldError(error, "refused") && (error.cause as Error).message).toBe("not enough money: 0 is left");
    expect(isEverfoldError(error) && error.details).toMatchObject({ definition: "account", streamId: "account-a" });
  });

  const cycle: { reason: string; self?: object } = { reason: "no" };
  cycle.self = cycle;
  test.each<[string, unknown]>([
    ["a BigInt in it", { missing: 5n }],
    ["a cycle", cycle],
    ["no prototype", Object.create(null)],
    ["nothing in it", undefined],
  ])("throws an object with %s refuses, too", async (_, thrown) => {
    const odd = deciding(() => {
      throw thrown;
    });
    const { store } = await opened({ aggregates: [odd] });

    const error = await store.execute(odd, "1", { type: "Go" }).catch((caught: unknown) => caught);

    expect(isEverfoldError(error, "refused") && error.cause).toBe(thrown);
  });

  test("fails in one of many calls does not fail its neighbours", async () => {
    const { store } = await opened(definitions);

    const outcomes = await Promise.allSettled([
      store.execute(account, "a", deposit(5)),
      store.execute(account, "b", withdraw(5)),
      store.execute(account, "c", deposit(5)),
      store.append("account-d", [{ type: "" }]),
      store.execute(account, "a", withdraw(3)),
    ]);

    expect(outcomes.map(({ status }) => status)).toEqual([
      "fulfilled",
      "rejected",
      "fulfilled",
      "rejected",
      "fulfilled",
    ]);
    expect((await store.load(account, "a")).state.balance).toBe(2);
  });
});

test("reads that answers with a promise has failed", async () => {
  const odd = defineDecision({
    name: "odd",
    version: 1,
    reads: (() => Promise.reject(new Error("later"))) as never,
    decide: () => [],
  });
  const { store } = await opened({ decisions: [odd] });

  await expect(store.execute(odd, {})).rejects.toMatchObject({ code: "decide-failed", details: { definition: "odd" } });
});

describe("a row that cannot be stored stops its projection only", () => {
  test.each<[string, unknown]>([
    ["a Date", { at: new Date(0) }],
    ["null", null],
    ["a promise", Promise.resolve()],
    ["a cycle through a Map", { map: new Map() }],
  ])("%s", async (_, row) => {
    const bad = defineProjection({
      name: "bad",
      version: 1,
      key: (event) => event.streamId,
      evolve: (before: unknown, event) => (event.type === "account.frozen" ? row : { seen: before }),
    });
    const problems: string[] = [];
    const { store } = await opened({
      aggregates: [account],
      projections: [balances, bad],
      onProblem: ({ code }) => problems.push(code),
    });

    await store.append("account-a", [openedEvent("Ann"), deposited(5)]);
    expect(await store.view(bad).count()).toBe(1);
    await store.execute(account, "a", { type: "Freeze" });

    await expect(store.view(bad).get("account-a")).rejects.toMatchObject({
      code: "projection-failed",
      details: { projection: "bad", streamId: "account-a", version: 3, type: "account.frozen" },
    });
    expect(problems).toContain("projection-failed");
    expect(await store.view(balances).get("account-a")).toEqual({ owner: "Ann", balance: 5 });
  });
});

describe("an import file that is", () => {
  async function exported(): Promise<Uint8Array<ArrayBuffer>> {
    const { store } = await opened(definitions);
    for (let amount = 1; amount <= 50; amount++) {
      await store.execute(account, "a", deposit(amount));
    }
    return new Uint8Array(await (await store.export()).arrayBuffer());
  }

  test.each<[string, (bytes: Uint8Array<ArrayBuffer>) => Uint8Array<ArrayBuffer>]>([
    ["cut", (bytes) => bytes.slice(0, bytes.length - 20)],
    ["cut to nothing", () => new Uint8Array()],
    [
      "damaged in one byte",
      (bytes) => bytes.map((byte, index) => (index === Math.floor(bytes.length / 2) ? byte ^ 1 : byte)),
    ],
    ["something else", () => new TextEncoder().encode("PK\u0003\u0004 this is no export")],
  ])("%s is refused as a whole", async (_, spoil) => {
    const file = spoil(await exported());
    await refuses((store) => store.import(new Blob([file]), { merge: true }), "storage-corrupt");
  });

  test("whole is taken", async () => {
    const { store } = await opened(definitions);

    const report = await store.import(await exported());

    expect(report).toEqual({ events: 50, commits: 50 });
    expect((await store.load(account, "a")).state.balance).toBe((50 * 51) / 2);
  });

  test("for a store that has events needs merge", async () => {
    const file = await exported();
    await refuses((store) => store.import(file), "invalid-argument");
  });
});

test("one name cannot be opened with other storage", async () => {
  const { store } = await opened({ name: "one-name" });

  await expect(openStore({ name: "one-name", storage: "indexeddb" })).rejects.toMatchObject({
    code: "invalid-argument",
    details: { argument: "storage" },
  });
  expect((await store.stats()).events).toBe(0);
});

test("where there is no IndexedDB it is not replaced by something that forgets", async () => {
  await expect(openStore({ name: "nowhere" })).rejects.toMatchObject({ code: "storage-unavailable" });
});

test("a call whose signal has said so before it is made asks nothing of storage", async () => {
  // No work of idle moments comes between.
  vi.useFakeTimers({ toFake: ["setTimeout", "setInterval"] });
  onTestFinished(() => void vi.useRealTimers());
  const { store, storage } = await opened(definitions);
  await store.append("account-a", [deposited(1)]);
  await store.view(balances).count();
  const file = await store.export();
  const options = { signal: AbortSignal.abort() };
  const calls: (() => unknown)[] = [
    () => store.load(account, "a", options),
    () => all(store.read(options)),
    () => all(store.read({ ...options, limit: 0 }).batches()),
    () => all(store.streams(account, options)),
    () => all(store.replay(account, "a", options)),
    () => store.findFirst(account, "a", () => true, options),
    () => store.ingest([], options),
    () => store.ingest([[{ streamId: "account-a", ...deposited(1) }]], options),
    () => store.rebuild(balances, options),
    () => store.project(balances, options),
    () => store.compact(options),
    () => store.verify(options),
    () => store.export(options),
    () => store.import(file, { ...options, merge: true }),
  ];
  const before = storage.calls();

  for (const call of calls) {
    await expect((async () => call())(), String(call)).rejects.toMatchObject({ code: "aborted" });
    expect(storage.calls(), String(call)).toBe(before);
  }
});

test("every call after close is store-closed", async () => {
  const { store } = await opened(definitions);
  const view = store.view(balances);
  await store.append("account-a", [deposited(1)]);
  await store.close();

  const calls: (() => unknown)[] = [
    () => store.execute(account, "a", deposit(1)),
    () => store.append("account-a", [deposited(1)]),
    () => store.commit([{ streamId: "account-a", events: [deposited(1)] }]),
    () => store.ingest([]),
    () => store.load(account, "a"),
    () => store.outcome("c"),
    () => all(store.read()),
    () => all(store.streams(account)),
    () => store.subscribe({}, () => {}),
    () => store.watch(account, "a"),
    () => store.view(balances),
    () => view.get("account-a"),
    () => view.watch("account-a"),
    () => store.sync.watch(),
    () => store.refusals.watch(),
    () => store.rebuild(balances),
    () => store.project(balances),
    () => store.stats(),
    () => store.verify(),
    () => store.export(),
    () => store.import(new Blob()),
  ];

  for (const call of calls) {
    await expect((async () => call())(), String(call)).rejects.toMatchObject({ code: "store-closed" });
  }
  await store.close();
});
