import fc from "fast-check";
import { describe, expect, test, vi } from "vitest";
import type { RecordedEvent } from "../../ts/event.js";
import type { AnyStore, ReadQuery } from "../../ts/types.js";
import { account, deposited, frozen, opened as openedEvent } from "./ledger.js";
import { all, opened } from "./opened.js";

const definitions = { aggregates: [account] } as const;
const ids = ["account-a", "account-b", "accounts-a", "account", "notes"];
const types = ["account.opened", "account.deposited", "noted"];

const written = fc.array(
  fc.array(fc.record({ streamId: fc.constantFrom(...ids), type: fc.constantFrom(...types), occurredAt: fc.nat(50) }), {
    minLength: 1,
    maxLength: 5,
  }),
  { minLength: 1, maxLength: 80 },
);
const some = <T>(values: readonly T[]) => fc.option(fc.subarray([...values]), { nil: undefined });
const maybe = <T>(arbitrary: fc.Arbitrary<T>) => fc.option(arbitrary, { nil: undefined, freq: 2 });
const query: fc.Arbitrary<ReadQuery> = fc.record({
  streamId: maybe(fc.constantFrom(...ids, "nobody")),
  aggregate: maybe(fc.constant("account")),
  streams: some(ids),
  types: some(types),
  afterPosition: maybe(fc.nat(200)),
  from: maybe(fc.nat(60)),
  until: maybe(fc.nat(60)),
  clock: maybe(fc.constantFrom("occurred", "recorded")),
  direction: maybe(fc.constantFrom("forward", "backward")),
  limit: maybe(fc.nat(40)),
});

/** The query's meaning, said plainly. */
function matching(events: readonly RecordedEvent[], query: ReadQuery): RecordedEvent[] {
  const time = ({ occurredAt, recordedAt }: RecordedEvent) => (query.clock === "recorded" ? recordedAt : occurredAt);
  const found = events.filter(
    (event) =>
      (query.streamId === undefined || event.streamId === query.streamId) &&
      (query.aggregate === undefined || event.streamId.startsWith("account-")) &&
      (query.streams === undefined || query.streams.includes(event.streamId)) &&
      (query.types === undefined || query.types.includes(event.type)) &&
      (query.from === undefined || time(event) >= query.from) &&
      (query.until === undefined || time(event) <= query.until) &&
      (query.afterPosition === undefined || event.position > query.afterPosition),
  );
  return (query.direction === "backward" ? found.reverse() : found).slice(0, query.limit);
}

test("law: a query finds what its words say, in order, before and after sealing", async () => {
  await fc.assert(
    fc.asyncProperty(
      written,
      fc.array(query, { minLength: 5, maxLength: 10 }),
      fc.boolean(),
      async (commits, queries, many) => {
        const { store, clock } = await opened(definitions);
        // Many commits, so that a part of them is sealed.
        for (const events of many ? Array.from({ length: 5 }, () => commits).flat() : commits) {
          clock.set(events[0]?.occurredAt ?? 0);
          await store.ingest([events]);
        }
        const plain: AnyStore = store;
        const everything = (await all(plain.read())) as RecordedEvent[];

        for (const query of queries) {
          expect(await all(plain.read(query)), JSON.stringify(query)).toStrictEqual(matching(everything, query));
          expect((await all(plain.read(query).batches())).flat(), JSON.stringify(query)).toStrictEqual(
            matching(everything, query),
          );
        }
        await store.close();
      },
    ),
    { numRuns: 30 },
  );
});

describe("reading", () => {
  test("ends where the log ended at the first next, whatever is written meanwhile", async () => {
    const { store } = await opened(definitions);
    await store.append("account-a", [deposited(1), deposited(2)]);
    const seen: number[] = [];

    for await (const { position } of store.read()) {
      seen.push(position);
      await store.append("account-a", [deposited(3)]);
    }

    expect(seen).toEqual([1, 2]);
  });

  test("may be left early, and begun again", async () => {
    const { store } = await opened(definitions);
    await store.append("account-a", [deposited(1), deposited(2)]);
    const reader = store.read();

    for await (const _ of reader) {
      break;
    }

    expect(await all(reader)).toHaveLength(2);
  });

  test("stops with aborted when its signal says so", async () => {
    const { store } = await opened(definitions);
    await store.append("account-a", [deposited(1), deposited(2)]);
    const abort = new AbortController();
    const reading = (async () => {
      for await (const _ of store.read({ signal: abort.signal })) {
        abort.abort();
      }
    })();

    await expect(reading).rejects.toMatchObject({ code: "aborted" });
  });

  test("takes a limit above all that there may be", async () => {
    const { store } = await opened(definitions);
    await store.append("account-a", [deposited(1), deposited(2)]);

    expect(await all(store.read({ limit: Number.MAX_SAFE_INTEGER }))).toHaveLength(2);
  });

  test("an empty log, a stream that is not there and a limit of nothing give nothing", async () => {
    const { store } = await opened(definitions);
    expect(await all(store.read())).toEqual([]);
    await store.append("account-a", [deposited(1)]);

    expect(await all(store.read({ streamId: "account-b" }))).toEqual([]);
    expect(await all(store.read({ limit: 0 }))).toEqual([]);
    expect(await all(store.read({ streams: [] }))).toEqual([]);
    expect(await all(store.read({ types: [] }))).toEqual([]);
  });
});

describe("the ids of an aggregate", () => {
  test("are each listed once, page by page, others' left out", async () => {
    const { store } = await opened(definitions);
    const names = ["b", "a", "ä", "B", "10", "9", "a-1", "😀", "\uffff"];
    for (const name of names) {
      await store.append(`account-${name}`, [deposited(1), frozen]);
    }
    await store.append("accounts-x", [deposited(1)]);
    await store.append("account", [deposited(1)]);

    const listed = await all(store.streams(account));

    expect(listed).toEqual([...names].sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b))));
    for (const [index, after] of listed.entries()) {
      expect(await all(store.streams(account, { after, limit: 2 }))).toEqual(listed.slice(index + 1, index + 3));
    }
  });
});

describe("subscribing", () => {
  test("tells the past, then what comes, without a gap or a repeat", async () => {
    const { store } = await opened(definitions);
    for (let n = 0; n < 600; n++) {
      void store.append("account-a", [deposited(n)]);
    }
    await store.append("account-a", [deposited(600)]);
    const positions: number[] = [];
    const kinds = new Set<string>();

    const end = store.subscribe({ afterPosition: 0 }, ({ kind, commits }) => {
      kinds.add(kind);
      positions.push(...commits.flatMap(({ events }) => events.map(({ position }) => position)));
    });
    for (let n = 0; n < 200; n++) {
      await store.append("account-b", [deposited(n), deposited(n)]);
    }
    await expect.poll(() => positions.length, { timeout: 5_000 }).toBe(1_001);
    end();
    await store.append("account-a", [deposited(0)]);
    await new Promise((resolve) => setTimeout(resolve, 20));

    expect(positions).toEqual(Array.from({ length: 1_001 }, (_, index) => index + 1));
    expect(kinds).toEqual(new Set(["appended"]));
  });

  test("begins now if not told otherwise, and hears only what it asked for", async () => {
    const { store } = await opened(definitions);
    await store.append("account-a", [openedEvent("before")]);
    const heard: unknown[] = [];
    store.subscribe({ aggregate: account, types: ["account.opened"] }, ({ commits }) => {
      heard.push(...commits.flatMap(({ events }) => events.map(({ data }) => data.owner)));
    });

    await store.append("notes", [openedEvent("elsewhere")]);
    await store.append("account-a", [deposited(1), openedEvent("Ann")]);

    await expect.poll(() => heard).toEqual(["Ann"]);
  });

  test("goes on after a listener that throws", async () => {
    const { store } = await opened(definitions);
    const heard: number[] = [];
    store.subscribe({ afterPosition: 0 }, () => {
      throw new Error("a bug in the page");
    });
    store.subscribe({ afterPosition: 0 }, ({ commits }) => heard.push(commits.length));

    const told = vi.spyOn(console, "error").mockImplementation(() => {});
    try {
      await store.append("account-a", [deposited(1)]);
      await store.append("account-a", [deposited(2)]);
      await expect.poll(() => heard.reduce((sum, n) => sum + n, 0)).toBe(2);
      expect(told.mock.calls.flat()).toContainEqual(new Error("a bug in the page"));
    } finally {
      told.mockRestore();
    }
  });
});
