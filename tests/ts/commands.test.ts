/**
 * Commands and facts: what a call resolves with, and what becomes of it when others write too.
 */
import { describe, expect, test } from "vitest";
import { account, deposit, deposited, transfer, withdraw } from "./ledger.js";
import { opened } from "./opened.js";
import { newDatabase, tab } from "./tab.js";

const definitions = { aggregates: [account], decisions: [transfer] } as const;

describe("calls at the same time", () => {
  test("are decided one on the other and written together", async () => {
    const { store, storage } = await opened(definitions);
    await store.execute(account, "a", deposit(1));
    const before = storage.calls();

    const receipts = await Promise.all(Array.from({ length: 50 }, () => store.execute(account, "a", deposit(1))));

    expect(receipts.map(({ version }) => version)).toEqual(Array.from({ length: 50 }, (_, index) => index + 2));
    expect(receipts.map(({ state }) => state.balance)).toEqual(receipts.map(({ version }) => version));
    expect(storage.calls() - before).toBe(1);
  });

  test("have outcomes of their own", async () => {
    const { store } = await opened(definitions);
    await store.execute(account, "a", deposit(10));

    const outcomes = await Promise.allSettled([
      store.execute(account, "a", withdraw(6)),
      store.execute(account, "a", withdraw(6)),
      store.execute(account, "a", withdraw(4)),
      store.append("account-a", [deposited(1)], { expectedVersion: 1 }),
      store.append("account-a", [deposited(2)]),
    ]);

    expect(outcomes.map(({ status }) => status)).toEqual([
      "fulfilled",
      "rejected",
      "fulfilled",
      "rejected",
      "fulfilled",
    ]);
    expect(outcomes[1]).toMatchObject({ reason: { code: "refused" } });
    expect(outcomes[3]).toMatchObject({ reason: { code: "conflict", details: { expected: 1 } } });
    expect((await store.load(account, "a")).state.balance).toBe(2);
  });

  // A call answered "no" on what was still on its way, and that then failed: it was refused for money that was never taken.
  test("are not refused for what then fails", async () => {
    const { store, storage } = await opened(definitions);
    await store.execute(account, "a", deposit(10));

    storage.failCall(1, "unknown");
    const [first, second] = await Promise.allSettled([
      store.execute(account, "a", withdraw(10)),
      store.execute(account, "a", withdraw(10)),
    ]);

    expect(first).toMatchObject({ status: "rejected", reason: { code: "storage-unavailable" } });
    expect(second).toMatchObject({ status: "fulfilled" });
  });

  test("that are too much for the quota together are written one by one", async () => {
    const { store, storage } = await opened(definitions);
    await store.execute(account, "a", deposit(1));

    storage.failCall(1, "quota");
    const receipts = await Promise.all([1, 2, 3].map((amount) => store.execute(account, "a", deposit(amount))));

    expect(receipts.map(({ version }) => version)).toEqual([2, 3, 4]);
    expect((await store.load(account, "a")).state.balance).toBe(7);
  });
});

describe("an expected version", () => {
  test.each([
    ["no-stream", "a", "conflict"],
    ["no-stream", "b", undefined],
    ["stream-exists", "a", undefined],
    ["stream-exists", "b", "conflict"],
    ["any", "a", undefined],
  ] as const)("%s of %s: %s", async (expectedVersion, id, code) => {
    const { store } = await opened(definitions);
    await store.append("account-a", [deposited(5)]);
    await store.append("other-a", [deposited(5)]);

    const calls = await Promise.allSettled([
      store.execute(account, id, deposit(1), { expectedVersion }),
      store.append(`other-${id}`, [deposited(1)], { expectedVersion }),
    ]);

    expect(calls.map((call) => (call.status === "rejected" ? call.reason.code : undefined))).toEqual([code, code]);
  });

  test("is checked for a stream that a commit does not write", async () => {
    const { store } = await opened(definitions);
    await store.append("account-a", [deposited(1)]);
    const guarded = (expectedVersion: number) =>
      store.commit([
        { streamId: "account-a", events: [], expectedVersion },
        { streamId: "account-b", events: [deposited(1)] },
      ]);

    await expect(guarded(0)).rejects.toMatchObject({ code: "conflict", details: { actual: 1 } });
    const { streams } = await guarded(1);

    expect(streams).toEqual([
      { streamId: "account-a", version: 1 },
      { streamId: "account-b", version: 1 },
    ]);
  });
});

test("a stream that a commit neither writes nor checks is where it was", async () => {
  const { store } = await opened(definitions);
  await store.append("account-a", [deposited(1), deposited(1)]);

  const receipt = await store.commit([
    { streamId: "account-a", events: [] },
    { streamId: "account-b", events: [deposited(1)] },
  ]);

  expect(receipt.streams).toEqual([
    { streamId: "account-a", version: 2 },
    { streamId: "account-b", version: 1 },
  ]);
});

describe("two tabs", () => {
  test("that run commands on one account at the same time lose none", async () => {
    const database = newDatabase();
    const [one, two] = [await tab(database, definitions), await tab(database, definitions)];
    const spend = async (store: typeof one.store) => {
      for (let round = 0; round < 40; round += 1) {
        await Promise.all([store.execute(account, "a", deposit(1)), store.execute(account, "b", deposit(1))]);
      }
    };

    await Promise.all([spend(one.store), spend(two.store)]);

    for (const { store } of [one, two]) {
      expect(await store.load(account, "a", { fresh: true })).toMatchObject({ version: 80, state: { balance: 80 } });
    }
  });

  test("see a conflict where a version is expected", async () => {
    const database = newDatabase();
    const [one, two] = [await tab(database, definitions), await tab(database, definitions)];
    await one.store.execute(account, "a", deposit(1));

    const late = two.store.execute(account, "a", deposit(1), { expectedVersion: 0 });
    await expect(late).rejects.toMatchObject({ code: "conflict", details: { expected: 0, actual: 1 } });
    await one.store.execute(account, "a", deposit(1));
    // The caller heard of version 2 elsewhere; this tab has not seen it yet.
    const receipt = await two.store.execute(account, "a", deposit(1), { expectedVersion: 2 });

    expect(receipt.version).toBe(3);
  });

  test("see none where a stream is expected that exists, however often the other writes to it", async () => {
    const database = newDatabase();
    const [one, two] = [await tab(database, definitions), await tab(database, definitions)];
    await one.store.execute(account, "a", deposit(1));
    await two.store.load(account, "a", { fresh: true });
    await one.store.execute(account, "a", deposit(1));

    const receipt = await two.store.execute(account, "a", deposit(1), { expectedVersion: "stream-exists" });

    expect(receipt).toMatchObject({ version: 3, state: { balance: 3 } });
  });

  test("do not refuse for what the other has made right", async () => {
    const database = newDatabase();
    const [one, two] = [await tab(database, definitions), await tab(database, definitions)];
    await two.store.execute(account, "a", deposit(1));
    await one.store.execute(account, "a", deposit(100));

    const receipt = await two.store.execute(account, "a", withdraw(101));

    expect(receipt).toMatchObject({ version: 3, state: { balance: 0 } });
  });

  test("agree on a decision: never more is taken than there is", async () => {
    const database = newDatabase();
    const [one, two] = [await tab(database, definitions), await tab(database, definitions)];
    await one.store.execute(account, "a", deposit(30));

    const calls = await Promise.allSettled(
      Array.from({ length: 40 }, (_, index) =>
        (index % 2 === 0 ? one : two).store.execute(transfer, { from: "a", to: `to-${index % 5}`, amount: 1 }),
      ),
    );

    expect(calls.filter(({ status }) => status === "fulfilled")).toHaveLength(30);
    const states = await Promise.all(
      ["a", "to-0", "to-1", "to-2", "to-3", "to-4"].map((id) => one.store.load(account, id, { fresh: true })),
    );
    expect(states[0]?.state.balance).toBe(0);
    expect(states.reduce((sum, { state }) => sum + state.balance, 0)).toBe(30);
  });
});
