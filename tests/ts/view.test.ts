import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { Event } from "../../ts/event.js";
import { defineProjection } from "../../ts/projection.js";
import { given } from "../../ts/testing.js";
import type { Entry, IndexValue, ListQuery, LiveState } from "../../ts/types.js";
import { account, type Balance, balances, deposit, deposited, opened as openedEvent, withdrawn } from "./ledger.js";
import { all, opened } from "./opened.js";

const definitions = { aggregates: [account], projections: [balances] } as const;

interface Item {
  n?: number;
  s?: string;
  mixed?: IndexValue;
}
type Put = Event<"put", { key: string; row: Item | null }>;
const items = defineProjection({
  name: "items",
  version: 1,
  key: (event) => (event.data as Put["data"]).key,
  evolve: (_: Item | undefined, event): Item | undefined => (event.data as Put["data"]).row ?? undefined,
  indexes: { n: (row) => row.n, s: (row) => row.s, mixed: (row) => row.mixed },
});
const put = (key: string, row: Item | null) => ({ streamId: "items", type: "put", data: { key, row } });

const texts = fc.constantFrom("", "a", "ab", "abc", "b", "ä", "z", "\uffff", "😀", "a\u0000", "10", "9");
const numbers = fc.constantFrom(-1e300, -2, -0.5, 0, 0.1, 1, 2, 10, 1e21);
const item: fc.Arbitrary<Item> = fc
  .record({ n: numbers, s: texts, mixed: fc.oneof(numbers, texts) }, { requiredKeys: [] })
  .map((row) => ({ ...row }));
const maybe = <T>(arbitrary: fc.Arbitrary<T>) => fc.option(arbitrary, { nil: undefined, freq: 2 });
const query = (index: "n" | "s" | "mixed" | undefined): fc.Arbitrary<ListQuery<Item>> => {
  const bound = maybe(index === "n" ? numbers : index === "mixed" ? fc.oneof(numbers, texts) : texts);
  return fc.record({
    index: fc.constant(index),
    gte: bound,
    gt: bound,
    lte: bound,
    lt: bound,
    prefix: maybe(texts),
    reverse: maybe(fc.boolean()),
    limit: maybe(fc.nat(6)),
  });
};

/** Numbers before texts, texts by code unit: as IndexedDB orders keys. */
function compare(a: IndexValue, b: IndexValue): number {
  if (typeof a !== typeof b) {
    return typeof a === "number" ? -1 : 1;
  }
  return a < b ? -1 : a > b ? 1 : 0;
}

/** The query's meaning, said plainly. */
function listed(rows: ReadonlyMap<string, Item>, query: ListQuery<Item>): Entry<Item>[] {
  const { index, gte, gt, lte, lt, prefix, reverse, limit } = query;
  const ordering = ({ key, row }: Entry<Item>) => (index === undefined ? key : row[index as keyof Item]);
  const found = [...rows]
    .map(([key, row]) => ({ key, row }))
    .filter((entry) => {
      const value = ordering(entry);
      return (
        value !== undefined &&
        (gte === undefined || compare(value, gte) >= 0) &&
        (gt === undefined || compare(value, gt) > 0) &&
        (lte === undefined || compare(value, lte) <= 0) &&
        (lt === undefined || compare(value, lt) < 0) &&
        (prefix === undefined || (typeof value === "string" && value.startsWith(prefix)))
      );
    })
    .sort((a, b) => compare(ordering(a) as IndexValue, ordering(b) as IndexValue) || compare(a.key, b.key));
  return (reverse ? found.reverse() : found).slice(0, limit);
}

test("law: a list holds what its query says, in order, and its pages make the whole", async () => {
  const puts = fc.array(fc.tuple(texts, fc.option(item, { freq: 8 })), { maxLength: 60 });
  const queries = fc.array(
    fc.constantFrom(undefined, "n", "s", "mixed").chain((index) => query(index as "n")),
    {
      minLength: 10,
      maxLength: 20,
    },
  );
  await fc.assert(
    fc.asyncProperty(puts, queries, async (written, queries) => {
      const { store } = await opened({ projections: [items] });
      const rows = new Map<string, Item>();
      for (const [key, row] of written) {
        await store.ingest([[put(key, row)]]);
        if (row === null) {
          rows.delete(key);
        } else {
          rows.set(key, row);
        }
      }
      const view = store.view(items);

      expect(await view.count()).toBe(rows.size);
      for (const query of queries as ListQuery<Item, "n">[]) {
        const whole = listed(rows, query);
        expect(await view.list(query), JSON.stringify(query)).toStrictEqual(whole);
        const pages: Entry<Item>[] = [];
        for (let page = await view.list({ ...query, limit: 2 }); page.length > 0; ) {
          pages.push(...page);
          page = await view.list({ ...query, limit: 2, after: page.at(-1) });
        }
        expect(pages, `pages of ${JSON.stringify(query)}`).toStrictEqual(listed(rows, { ...query, limit: undefined }));
      }
      await store.close();
    }),
    { numRuns: 40 },
  );
});

describe("a view", () => {
  test("hands out copies: what a reader does to a row reaches nobody", async () => {
    const { store } = await opened(definitions);
    await store.append("account-a", [openedEvent("Ann"), deposited(5)]);
    const view = store.view(balances);

    const row = (await view.get("account-a")) as Balance;
    row.balance = 1_000;
    await store.execute(account, "a", deposit(1));

    expect(await view.getMany(["account-a", "nobody", "account-a"])).toEqual([
      { owner: "Ann", balance: 6 },
      undefined,
      { owner: "Ann", balance: 6 },
    ]);
  });

  test("sees what this tab has finished writing, at once", async () => {
    const { store } = await opened(definitions);
    const view = store.view(balances);
    await store.append("account-a", [openedEvent("Ann")]);

    for (let n = 1; n <= 50; n++) {
      const { position } = await store.execute(account, "a", deposit(1));
      expect(await view.get("account-a")).toEqual({ owner: "Ann", balance: n });
      expect(view.checkpoint()).toBeGreaterThanOrEqual(position);
    }
  });

  test("lets evolve change the row that it was given", async () => {
    const tally = defineProjection({
      name: "tally",
      version: 1,
      from: [account],
      key: (event) => [event.streamId, "all", "all"],
      evolve: (row: { seen: string[] } = { seen: [] }, event) => {
        row.seen.push(event.type);
        return row;
      },
    });
    const { store } = await opened({ aggregates: [account], projections: [tally] });
    await store.append("account-a", [openedEvent("Ann"), deposited(1)]);
    await store.append("account-b", [openedEvent("Bob")]);

    expect(await store.view(tally).list()).toEqual([
      { key: "account-a", row: { seen: ["account.opened", "account.deposited"] } },
      { key: "account-b", row: { seen: ["account.opened"] } },
      { key: "all", row: { seen: ["account.opened", "account.deposited", "account.opened"] } },
    ]);
  });
});

describe("a live result", () => {
  const states = <T>(live: { subscribe(listener: (state: LiveState<T>) => void): () => void }) => {
    const heard: LiveState<T>[] = [];
    live.subscribe((state) => heard.push(state));
    return heard;
  };

  test("of a key changes only with its row, and keeps its reference until then", async () => {
    const { store } = await opened(definitions);
    await store.append("account-a", [openedEvent("Ann")]);
    await store.append("account-b", [openedEvent("Bob")]);
    const live = store.view(balances).watch("account-a");
    const heard = states(live);
    await expect.poll(() => live.current.status).toBe("ready");
    const first = live.current;

    await store.execute(account, "b", deposit(1));
    await store.view(balances).count();
    expect(live.current).toBe(first);
    await store.execute(account, "a", deposit(1));

    await expect.poll(() => live.current.value).toEqual({ owner: "Ann", balance: 1 });
    expect(heard.map(({ value }) => value?.balance)).toEqual([0, 1]);
  });

  test("of a list keeps the rows that did not change", async () => {
    const { store } = await opened(definitions);
    await store.append("account-a", [openedEvent("Ann")]);
    await store.append("account-b", [openedEvent("Bob")]);
    const live = store.view(balances).watch({});
    states(live);
    await expect.poll(() => live.current.value?.length).toBe(2);
    const [ann] = live.current.value ?? [];

    await store.execute(account, "b", deposit(1));

    await expect.poll(() => live.current.value?.[1]?.row.balance).toBe(1);
    expect(live.current.value?.[0]).toBe(ann);
  });

  test("of an aggregate is what load gives", async () => {
    const { store } = await opened(definitions);
    const live = store.watch(account, "a");
    const heard = states(live);
    await expect.poll(() => live.current.value).toEqual({ state: { balance: 0, frozen: false }, version: 0 });

    await Promise.all([store.execute(account, "a", deposit(1)), store.execute(account, "a", deposit(1))]);

    await expect.poll(() => live.current.value?.version).toBe(2);
    expect(live.current.value).toEqual(await store.load(account, "a"));
    expect(heard.map(({ value }) => value?.version)).toEqual([0, 2]);
  });

  test("says nothing more once it is let go", async () => {
    const { store } = await opened(definitions);
    const live = store.watch(account, "a");
    const heard = states(live);
    await expect.poll(() => live.current.status).toBe("ready");

    live.dispose();
    await store.execute(account, "a", deposit(1));
    await store.view(balances).count();

    expect(heard).toHaveLength(1);
  });
});

describe("rebuilding", () => {
  test("gives the same rows, tells how far it is, and does not stop readers", async () => {
    const { store } = await opened(definitions);
    await store.append("account-a", [openedEvent("Ann")]);
    await store.ingest(Array.from({ length: 2_000 }, () => [{ streamId: "account-a", ...deposited(1) }]));
    const view = store.view(balances);
    const progress: number[] = [];
    const phases = new Set<string>();

    const rebuilding = store.rebuild(balances, {
      onProgress: ({ processed, total, phase }) => {
        expect([2_001, 2_002]).toContain(total);
        progress.push(processed);
        phases.add(phase);
      },
    });
    expect(await view.get("account-a")).toEqual({ owner: "Ann", balance: 2_000 });
    await store.execute(account, "a", deposit(5));
    await rebuilding;

    expect(await view.get("account-a")).toEqual({ owner: "Ann", balance: 2_005 });
    expect(progress).toEqual([...progress].sort((a, b) => a - b));
    // With the deposit, if the live rows had it before the switch.
    expect([2_001, 2_002]).toContain(progress.at(-1));
    expect(phases.has("folding")).toBe(true);
  });

  test("twice at once is one thing too many", async () => {
    const { store } = await opened(definitions);
    await store.ingest(Array.from({ length: 500 }, () => [{ streamId: "account-a", ...openedEvent("Ann") }]));

    const outcomes = await Promise.allSettled([store.rebuild(balances), store.rebuild(balances)]);

    expect(outcomes.map(({ status }) => status).sort()).toEqual(["fulfilled", "rejected"]);
    expect(outcomes.find(({ status }) => status === "rejected")).toMatchObject({
      reason: { code: "rebuild-running", details: { projection: "balances" } },
    });
  });

  test("that is aborted leaves the rows as they were, and can begin again", async () => {
    const { store } = await opened(definitions);
    await store.append("account-a", [openedEvent("Ann")]);
    await store.ingest(Array.from({ length: 1_000 }, () => [{ streamId: "account-a", ...deposited(1) }]));
    const abort = new AbortController();

    const rebuilding = store.rebuild(balances, { signal: abort.signal, onProgress: () => abort.abort() });

    await expect(rebuilding).rejects.toMatchObject({ code: "aborted" });
    expect(await store.view(balances).get("account-a")).toEqual({ owner: "Ann", balance: 1_000 });
    await store.rebuild(balances);
    expect(await store.view(balances).get("account-a")).toEqual({ owner: "Ann", balance: 1_000 });
  });
});

describe("projecting", () => {
  test("law: a view as of a time is the fold of the events that pass, in log order", async () => {
    const entry = fc.record({ id: fc.constantFrom("a", "b"), amount: fc.nat(9), at: fc.nat(20) });
    await fc.assert(
      fc.asyncProperty(fc.array(entry, { maxLength: 40 }), fc.nat(22), fc.nat(22), async (entries, from, until) => {
        const { store } = await opened(definitions);
        await store.ingest([
          [
            { streamId: "account-a", ...openedEvent("Ann"), occurredAt: 0 },
            { streamId: "account-b", ...openedEvent("Bob"), occurredAt: 10 },
          ],
        ]);
        for (const { id, amount, at } of entries) {
          const event = at % 2 === 0 ? deposited(amount) : withdrawn(amount);
          await store.append(`account-${id}`, [{ ...event, occurredAt: at }]);
        }
        const live = await store.view(balances).list();

        const then = await store.project(balances, { from, until });

        const passed = await all(store.read({ from, until }));
        const rows = Object.fromEntries((await then.list()).map(({ key, row }) => [key, row]));
        given(balances, passed as never).then(rows);
        expect(await store.view(balances).list()).toEqual(live);
        then.dispose();
        await store.close();
      }),
      { numRuns: 40 },
    );
  });

  test("reads like a view, with its indexes", async () => {
    const { store } = await opened(definitions);
    await store.append("account-a", [openedEvent("Zoe"), deposited(5)]);
    await store.append("account-b", [openedEvent("Ann"), deposited(9)]);

    const then = await store.project(balances, { streams: ["account-a", "account-b"] });
    await store.execute(account, "a", deposit(100));

    expect((await then.list({ index: "owner" })).map(({ row }) => row.owner)).toEqual(["Ann", "Zoe"]);
    expect((await then.list({ index: "balance", gte: 6 })).map(({ key }) => key)).toEqual(["account-b"]);
    expect(await then.get("account-a")).toEqual({ owner: "Zoe", balance: 5 });
    expect(await then.count()).toBe(2);
    expect(then.checkpoint()).toBe(4);
  });
});
