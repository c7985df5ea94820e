/**
 * Subscriptions and live results: past, then live, other tabs too.
 */
import { describe, expect, test } from "vitest";
import type { CommitNotice, LiveState } from "../../ts/types.js";
import { account, balances, deposit, deposited, opened as openedEvent, transfer } from "./ledger.js";
import { opened } from "./opened.js";
import { newDatabase, tab, until } from "./tab.js";

const definitions = { aggregates: [account], decisions: [transfer], projections: [balances] } as const;

describe("a subscription", () => {
  test("gives past commits, then each new one, without a gap or a repeat", async () => {
    const { store } = await opened(definitions);
    const seen: number[] = [];
    await store.ingest(Array.from({ length: 5_000 }, () => [{ streamId: "account-a", ...deposited(1) }]));

    store.subscribe({ afterPosition: 0 }, ({ commits }) => {
      seen.push(...commits.flatMap(({ events }) => events.map(({ position }) => position)));
    });
    for (let round = 0; round < 20; round += 1) {
      await store.execute(account, "a", deposit(1));
    }
    await until(() => seen.length >= 5_020);

    expect(seen).toEqual(Array.from({ length: 5_020 }, (_, index) => index + 1));
  });

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

  test("starts now if it is not told where, and gives what was asked for", async () => {
    const { store } = await opened(definitions);
    const notices: CommitNotice[] = [];
    await store.execute(account, "a", deposit(1));

    store.subscribe({ types: ["account.withdrawn"] }, (notice) => notices.push(notice as CommitNotice));
    await store.execute(account, "a", deposit(2));
    await store.execute(transfer, { from: "a", to: "b", amount: 1 });
    await until(() => notices.length > 0);

    expect(notices).toMatchObject([{ kind: "appended", commits: [{ events: [{ type: "account.withdrawn" }] }] }]);
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

  test("goes on when its listener throws", async () => {
    const { store } = await opened(definitions);
    const original = console.error;
    console.error = () => {};
    let calls = 0;

    store.subscribe({}, () => {
      calls += 1;
      throw new Error("a listener's own mistake");
    });
    await store.execute(account, "a", deposit(1));
    await until(() => calls === 1);
    await store.execute(account, "a", deposit(1));
    await until(() => calls === 2);
    console.error = original;

    expect(calls).toBe(2);
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

  test("of a list keeps the rows that did not change", async () => {
    const { store } = await opened(definitions);
    await store.append("account-a", [openedEvent("Ann")]);
    await store.append("account-b", [openedEvent("Bob")]);
    const live = store.view(balances).watch({ index: "owner" });
    let changes = 0;
    live.subscribe(() => {
      changes += 1;
    });
    await until(() => live.current.status === "ready");
    const [ann, bob] = live.current.value ?? [];

    await store.execute(account, "b", deposit(5));
    await until(() => changes === 2);

    expect(live.current.value?.[0]).toBe(ann);
    expect(live.current.value?.[1]).not.toBe(bob);
    expect(live.current.value?.[1]).toEqual({ key: "account-b", row: { owner: "Bob", balance: 5 } });
  });

  test("of a key says nothing while other rows change", async () => {
    const { store } = await opened(definitions);
    await store.append("account-a", [openedEvent("Ann")]);
    const live = store.view(balances).watch("account-a");
    let changes = 0;
    live.subscribe(() => {
      changes += 1;
    });
    await until(() => live.current.status === "ready");

    await store.append("account-b", [openedEvent("Bob"), deposited(1)]);
    await store.view(balances).count();

    expect(changes).toBe(1);
    expect(live.current.value).toEqual({ owner: "Ann", balance: 0 });
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
