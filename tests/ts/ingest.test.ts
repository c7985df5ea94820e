import { describe, expect, test } from "vitest";
import type { IngestProgress } from "../../ts/types.js";
import { account, balances, deposited, opened as openedEvent } from "./ledger.js";
import { all, opened } from "./opened.js";
import { newDatabase, tab } from "./tab.js";

const definitions = { aggregates: [account], projections: [balances] } as const;
const row = (n: number) => ({ streamId: `account-${n % 7}`, ...deposited(n) });

describe("ingest", () => {
  test("writes each batch as one commit, in its order", async () => {
    const { store } = await opened(definitions);

    const report = await store.ingest([
      { commitId: "one", events: [row(1), row(2)] },
      { commitId: "two", events: [row(3)] },
    ]);

    expect(report).toEqual({ events: 3, commits: 2, knownEvents: 0, knownCommits: 0, position: 3 });
    const events = await all(store.read());
    expect(events.map(({ commitId, data }) => [commitId, data])).toEqual([
      ["one", { amount: 1 }],
      ["one", { amount: 2 }],
      ["two", { amount: 3 }],
    ]);
  });

  test("of the same batches again changes nothing and says how many were known", async () => {
    const { store } = await opened(definitions);
    const batches = Array.from({ length: 500 }, (_, n) => ({ commitId: `row-${n}`, events: [row(n), row(n + 1)] }));
    await store.ingest(batches.slice(0, 300));

    const report = await store.ingest(batches);

    expect(report).toEqual({ events: 1_000, commits: 500, knownEvents: 600, knownCommits: 300, position: 1_000 });
    expect((await store.stats()).events).toBe(1_000);
  });

  test("acknowledges only what can be read", async () => {
    const { store } = await opened(definitions);
    const acknowledged: IngestProgress[] = [];
    const checks: Promise<void>[] = [];

    await store.ingest(
      Array.from({ length: 9_000 }, (_, n) => ({ commitId: `row-${n}`, events: [row(n)] })),
      {
        onProgress: (progress) => {
          acknowledged.push(progress);
          checks.push(store.stats().then(({ events }) => expect(events).toBeGreaterThanOrEqual(progress.events)));
        },
      },
    );
    await Promise.all(checks);

    expect(acknowledged.length).toBeGreaterThan(1);
    expect(acknowledged.map(({ events }) => events)).toEqual(
      acknowledged.map(({ events }) => events).sort((a, b) => a - b),
    );
    expect(acknowledged.at(-1)).toMatchObject({ events: 9_000, commits: 9_000 });
  });

  test("cuts a bare list that is too large for a commit, and never a batch with an id", async () => {
    const { store } = await opened(definitions);
    const many = Array.from({ length: 2_500 }, (_, n) => row(n));

    const report = await store.ingest([many]);
    const named = store.ingest([{ commitId: "whole", events: many }]);

    expect(report.events).toBe(2_500);
    expect(report.commits).toBeGreaterThanOrEqual(3);
    await expect(named).rejects.toMatchObject({ code: "invalid-event" });
    expect((await store.stats()).events).toBe(2_500);
  });

  test("cuts by size too", async () => {
    const { store } = await opened(definitions);
    const text = Array.from({ length: 8_000 }, (_, index) => (index * 7919).toString(36)).join();
    const large = Array.from({ length: 20 }, () => ({ streamId: "notes", type: "noted", data: { text } }));

    const report = await store.ingest([large]);

    expect(report.events).toBe(20);
    expect(report.commits).toBeGreaterThan(1);
  });

  test("takes what comes asynchronously, and stops asking when it is aborted", async () => {
    const { store } = await opened(definitions);
    const abort = new AbortController();
    let asked = 0;
    let closed = false;
    async function* batches() {
      try {
        for (; ; asked++) {
          yield { commitId: `row-${asked}`, events: [row(asked)] };
        }
      } finally {
        closed = true;
      }
    }

    let acknowledged = 0;
    const ingesting = store.ingest(batches(), {
      signal: abort.signal,
      onProgress: ({ events }) => {
        acknowledged = events;
        if (events >= 100) {
          abort.abort();
        }
      },
    });

    await expect(ingesting).rejects.toMatchObject({ code: "aborted" });
    expect(closed).toBe(true);
    const { events } = await store.stats();
    expect(events).toBeGreaterThanOrEqual(acknowledged);
    expect(events).toBeLessThanOrEqual(asked + 1);
  });

  test("ends when it is aborted while its source is silent", async () => {
    const { store } = await opened(definitions);
    const abort = new AbortController();
    async function* batches() {
      yield { commitId: "one", events: [row(1)] };
      abort.abort();
      await new Promise(() => {});
    }

    await expect(store.ingest(batches(), { signal: abort.signal })).rejects.toMatchObject({ code: "aborted" });

    expect((await store.stats()).events).toBe(0);
  });

  test("passes on what the source throws, after what it gave is written or not at all", async () => {
    const { store } = await opened(definitions);
    function* batches() {
      yield { commitId: "one", events: [row(1)] };
      throw new Error("the file ended early");
    }

    await expect(store.ingest(batches())).rejects.toThrow("the file ended early");
    expect((await store.stats()).events).toBeLessThanOrEqual(1);
  });

  test("keeps old dates, and shows in views at once", async () => {
    const { store, clock } = await opened(definitions);
    clock.set(5_000);

    await store.ingest([[{ streamId: "account-a", ...openedEvent("Ann"), occurredAt: -86_400_000 }]]);

    const [event] = await all(store.read());
    expect(event).toMatchObject({ occurredAt: -86_400_000, recordedAt: 5_000 });
    expect(await store.view(balances).get("account-a")).toEqual({ owner: "Ann", balance: 0 });
    expect(store.view(balances).checkpoint()).toBe(1);
  });

  test("beside other writers keeps versions dense", async () => {
    const { store } = await opened(definitions);
    await Promise.all([
      store.ingest(Array.from({ length: 300 }, (_, n) => [{ streamId: "account-a", ...deposited(n) }])),
      ...Array.from({ length: 50 }, () => store.execute(account, "a", { type: "Deposit", data: { amount: 1 } })),
    ]);

    const versions = (await all(store.read({ streamId: "account-a" }))).map(({ version }) => version);
    expect(versions).toEqual(Array.from({ length: 350 }, (_, index) => index + 1));
    expect((await store.load(account, "a")).version).toBe(350);
  });

  test("ends before the first commit that is refused, and has acknowledged all before it", async () => {
    const { store } = await opened(definitions);
    await store.append("account-a", [deposited(1)], { commitId: "used" });
    const batches = ["one", "two", "used", "three"].map((commitId, n) => ({ commitId, events: [row(n)] }));
    let told: IngestProgress | undefined;

    const ingesting = store.ingest(batches, {
      onProgress: (progress) => {
        told = progress;
      },
    });

    await expect(ingesting).rejects.toMatchObject({ code: "commit-id-reused", details: { commitId: "used" } });
    expect(told).toMatchObject({ events: 2, commits: 2 });
    const ids = (await all(store.read())).map(({ commitId }) => commitId);
    expect(ids).toEqual(["used", "one", "two"]);
  });

  test("passes over commits that are refused if somebody hears of them", async () => {
    const { store } = await opened(definitions);
    await store.append("account-a", [deposited(1)], { commitId: "used" });
    const many = Array.from({ length: 1_001 }, (_, n) => row(n));
    const refused: [string, string][] = [];

    const report = await store.ingest(
      [
        { commitId: "used", events: [row(0)] },
        { commitId: "one", events: [row(1)] },
        { commitId: "large", events: many },
        { commitId: "two", events: [row(2)] },
      ],
      { onRefused: ({ commitId, error }) => refused.push([commitId, error.code]) },
    );

    expect(refused).toEqual([
      ["used", "commit-id-reused"],
      ["large", "invalid-event"],
    ]);
    expect(report).toMatchObject({ events: 2, commits: 2, position: 3 });
  });

  test("stops between blocks when the store is closed; what was acknowledged is there", async () => {
    const database = newDatabase();
    const { store } = await tab(database, definitions);
    let acknowledged = 0;
    let closing: Promise<void> | undefined;

    const ingesting = store.ingest(
      Array.from({ length: 30_000 }, (_, n) => [row(n)]),
      {
        onProgress: ({ events }) => {
          acknowledged = events;
          closing ??= store.close();
        },
      },
    );

    await expect(ingesting).rejects.toMatchObject({ code: "store-closed" });
    await closing;
    expect(acknowledged).toBeGreaterThan(0);
    expect((await (await tab(database, definitions)).store.stats()).events).toBe(acknowledged);
  });

  test("lets projections gather until its end, unless somebody asks", async () => {
    const { store } = await opened(definitions);
    const view = store.view(balances);
    await view.count();
    const checkpoints: number[] = [];

    await store.ingest(
      Array.from({ length: 40_000 }, (_, n) => [row(n)]),
      { onProgress: () => checkpoints.push(view.checkpoint()) },
    );

    expect(new Set(checkpoints)).toEqual(new Set([0]));
    await view.count();
    expect(view.checkpoint()).toBe(40_000);
  });

  test("forgets states that it has overtaken", async () => {
    const { store } = await opened(definitions);
    await store.execute(account, "a", { type: "Deposit", data: { amount: 1 } });

    await store.ingest([Array.from({ length: 2_000 }, () => ({ streamId: "account-a", ...deposited(1) }))]);

    expect((await store.load(account, "a")).state.balance).toBe(2_001);
    const receipt = await store.execute(account, "a", { type: "Deposit", data: { amount: 1 } });
    expect(receipt.version).toBe(2_002);
  });

  test("keeps nothing of the objects that it was given", async () => {
    const { store } = await opened(definitions);
    const event = { streamId: "account-a", type: "account.money_deposited", data: { amount: 0 } };
    function* batches() {
      for (let amount = 1; amount <= 3; amount += 1) {
        event.data.amount = amount;
        yield { commitId: `row-${amount}`, events: [event] };
      }
    }

    await store.ingest(batches());

    expect((await all(store.read())).map(({ data }) => data)).toEqual([{ amount: 1 }, { amount: 2 }, { amount: 3 }]);
  });

  test("of nothing does nothing", async () => {
    const { store } = await opened(definitions);

    expect(await store.ingest([])).toEqual({ events: 0, commits: 0, knownEvents: 0, knownCommits: 0, position: 0 });
    await expect(store.ingest(7 as never)).rejects.toMatchObject({ code: "invalid-argument" });
    await expect(store.ingest([7 as never])).rejects.toMatchObject({ code: "invalid-argument" });
  });
});
