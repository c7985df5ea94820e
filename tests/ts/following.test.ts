/**
 * Subscriptions and live results: past, then live, other tabs too.
 */
import { describe, expect, test } from "vitest";
import { defineAggregate } from "../../ts/aggregate.js";
import type { Event } from "../../ts/event.js";
import type { LiveState } from "../../ts/types.js";
import { account, balances, deposit, deposited, opened as openedEvent, transfer } from "./ledger.js";
import { opened } from "./opened.js";
import { newDatabase, tab, until } from "./tab.js";

const definitions = { aggregates: [account], decisions: [transfer], projections: [balances] } as const;

test("what became of a commit is known as soon as another tab has written it", async () => {
  const database = newDatabase();
  const [one, two] = [await tab(database, definitions), await tab(database, definitions)];

  const { commitId } = await one.store.append("account-a", [deposited(1)]);

  expect(await two.store.outcome(commitId)).toBe("confirmed");
});

describe("a subscription", () => {
  test("never cuts a commit, also where a page ends", async () => {
    const { store } = await opened();
    const sizes: number[] = [];
    for (let commit = 0; commit < 6; commit += 1) {
      await store.append("s-1", Array(999).fill({ type: "t", data: "x".repeat(50) }));
    }

    store.subscribe({ afterPosition: 0 }, ({ commits }) => sizes.push(...commits.map(({ events }) => events.length)));
    await until(() => sizes.length >= 6);

    expect(sizes).toEqual(Array(6).fill(999));
  });

  test("hears of other tabs, and nothing after it is ended", async () => {
    const database = newDatabase();
    const [one, two] = [await tab(database, definitions), await tab(database, definitions)];
    const seen: number[] = [];
    const end = two.store.subscribe({}, ({ commits }) => seen.push(...commits.map(({ events }) => events.length)));

    await one.store.append("account-a", [deposited(1), deposited(2)]);
    await two.store.load(account, "a", { fresh: true });
    await until(() => seen.length > 0);
    end();
    await two.store.execute(account, "a", deposit(1));

    expect(seen).toEqual([2]);
  });
});

describe("a subscription that goes on where another tab was", () => {
  const positionsTold = (store: Awaited<ReturnType<typeof tab>>["store"], afterPosition: number) => {
    const told: number[] = [];
    store.subscribe({ afterPosition }, ({ commits }) => {
      told.push(...commits.flatMap(({ events }) => events.map(({ position }) => position)));
    });
    return told;
  };

  test("is not told again what that one has seen, and this one not", async () => {
    const database = newDatabase();
    const [one, two] = [await tab(database, definitions), await tab(database, definitions)];
    await one.store.append("account-a", [deposited(1)]);
    const { position } = await one.store.append("account-a", [deposited(1), deposited(1)]);

    const told = positionsTold(two.store, position);
    await one.store.append("account-a", [deposited(1)]);
    await two.engine.log.catchUp();
    await until(() => told.length > 0);

    expect(told).toEqual([4]);
  });

  test("goes on at the end of a log that is shorter than that", async () => {
    const { store } = await opened(definitions);
    await store.append("account-a", [deposited(1)]);

    const told = positionsTold(store, 7);
    await store.append("account-a", [deposited(1)]);
    await until(() => told.length > 0);

    expect(told).toEqual([2]);
  });
});

describe("a live result", () => {
  test("of an aggregate keeps its reference until the stream changes", async () => {
    const { store } = await opened(definitions);
    await store.execute(account, "a", deposit(1));
    const live = store.watch(account, "a");
    const states: LiveState<unknown>[] = [];

    const first = live.current;
    live.subscribe((state) => states.push(state));
    await until(() => live.current.status === "ready");
    const ready = live.current;
    await store.execute(account, "b", deposit(1));
    const unchanged = live.current;
    await store.execute(account, "a", deposit(1));
    await until(() => states.length === 2);

    expect(first).toEqual({ status: "loading" });
    expect(unchanged).toBe(ready);
    expect(live.current).toMatchObject({ value: { version: 2, state: { balance: 2 } } });
  });

  test("of a state that is no plain object changes with its stream", async () => {
    const tags = defineAggregate({
      name: "tags",
      version: 1,
      initialState: () => new Set<string>(),
      decide: (command: { type: "Add"; data: { tag: string } }): Event<"tags.added", { tag: string }> => ({
        type: "tags.added",
        data: command.data,
      }),
      evolve: (state, event) => new Set(state).add(event.data.tag),
    });
    const { store } = await opened({ aggregates: [tags] });
    const live = store.watch(tags, "1");
    const states: LiveState<{ readonly state: Set<string> }>[] = [];
    live.subscribe((state) => states.push(state));
    await until(() => states.length === 1);

    await store.execute(tags, "1", { type: "Add", data: { tag: "new" } });
    await until(() => states.length === 2);

    expect(states.map(({ value }) => [...(value?.state ?? [])])).toEqual([[], ["new"]]);
  });

  test("that nobody subscribes to shows changes to who looks again", async () => {
    const { store } = await opened(definitions);
    const live = store.watch(account, "a");
    await until(() => live.current.status === "ready");

    await store.execute(account, "a", deposit(1));
    await until(() => live.current.value?.version === 1);

    live.dispose();
    expect(live.current.value).toMatchObject({ state: { balance: 1 } });
  });

  test("sees what another tab wrote", async () => {
    const database = newDatabase();
    const [one, two] = [await tab(database, definitions), await tab(database, definitions)];
    await one.store.append("account-a", [openedEvent("Ann")]);
    const live = two.store.view(balances).watch("account-a");
    live.subscribe(() => undefined);
    await until(() => live.current.status === "ready");

    await one.store.execute(account, "a", deposit(7));
    await two.engine.log.catchUp();
    await until(() => live.current.value?.balance === 7);

    expect(live.current.status).toBe("ready");
  });
});
