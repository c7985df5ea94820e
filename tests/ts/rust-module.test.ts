/**
 * An engine of one's own: definitions written in Rust do what those in TypeScript do, and fail as they do.
 */
import { readFileSync } from "node:fs";
import { describe, expect, test, vi } from "vitest";
import { defineAggregate } from "../../ts/aggregate.js";
import { defineDecision } from "../../ts/decision.js";
import type { Event } from "../../ts/event.js";
import { defineProjection } from "../../ts/projection.js";
import { release } from "../../ts/release.js";
import { rustAggregate, rustProjection } from "../../ts/rust.js";
import type { EngineModule } from "../../ts/types.js";
import { fakeServer } from "./fake-server.js";
import { all, opened } from "./opened.js";

const pkg = "../../examples/rust-module/pkg/rust_module.js";
const engine = () => import(pkg) as Promise<EngineModule>;
const wasm = readFileSync("examples/rust-module/pkg/rust_module_bg.wasm");

type AccountCommand =
  | { type: "Open"; data: { owner: string } }
  | { type: "Deposit" | "Withdraw"; data: { amount: number } };
type AccountEvent =
  | Event<"account.opened", { owner: string }>
  | Event<"account.money_deposited" | "account.money_withdrawn", { amount: number }>;
type Balance = { balance: number; transactions: number };

const account = rustAggregate<{ owner: string | null; balance: number }, AccountCommand, AccountEvent>("account");
const balances = rustProjection<Balance>("balances");
const owners = rustProjection<{ accounts: number }, "accounts">("owners");
const bank = { engine, wasm, aggregates: [account], projections: [balances, owners] } as const;

const open = (owner: string): AccountCommand => ({ type: "Open", data: { owner } });
const deposit = (amount: number): AccountCommand => ({ type: "Deposit", data: { amount } });
const withdraw = (amount: number): AccountCommand => ({ type: "Withdraw", data: { amount } });
const deposited = (amount: number): AccountEvent => ({ type: "account.money_deposited", data: { amount } });
const withdrawn = (amount: number): AccountEvent => ({ type: "account.money_withdrawn", data: { amount } });

/** An amount that is too much for 64 bits when it comes twice: the example's arithmetic then panics. */
const tooMuch = 5e18;

describe("an aggregate in Rust", () => {
  test("decides, and its state is loaded as of any version", async () => {
    const { store } = await opened(bank);

    const receipt = await store.execute(account, "a", open("Ann"));
    await store.execute(account, "a", deposit(100));
    await store.execute(account, "a", withdraw(30));

    expect(receipt.events.map(({ type, data }) => ({ type, data }))).toEqual([
      { type: "account.opened", data: { owner: "Ann" } },
    ]);
    expect(receipt.state).toEqual({ owner: "Ann", balance: 0 });
    expect(await store.load(account, "a")).toEqual({ state: { owner: "Ann", balance: 70 }, version: 3 });
    const past = await Promise.all([0, 1, 2].map((atVersion) => store.load(account, "a", { atVersion })));
    expect(past.map(({ state, version }) => [state.balance, version])).toEqual([
      [0, 0],
      [0, 1],
      [100, 2],
    ]);
    expect(Object.isFrozen(past[1]?.state)).toBe(true);
  });

  test("refuses with what it says, and writes nothing", async () => {
    const { store } = await opened(bank);
    await store.execute(account, "a", deposit(10));

    await expect(store.execute(account, "a", withdraw(11))).rejects.toMatchObject({
      code: "refused",
      message: '{"reason":"not_covered","balance":10}',
      cause: { reason: "not_covered", balance: 10 },
      details: { definition: "account", streamId: "account-a" },
    });

    expect((await store.load(account, "a")).version).toBe(1);
  });

  test("has its commands committed in groups, each on the state that those before it led to", async () => {
    const { store } = await opened(bank);

    const receipts = await Promise.all([1, 2, 3, 4].map((amount) => store.execute(account, "a", deposit(amount))));
    const again = store.execute(account, "a", deposit(1), { expectedVersion: 3 });

    expect(receipts.map(({ state, version }) => [state.balance, version])).toEqual([
      [1, 1],
      [3, 2],
      [6, 3],
      [10, 4],
    ]);
    await expect(again).rejects.toMatchObject({ code: "conflict", details: { expected: 3, actual: 4 } });
  });

  test("is folded from a snapshot and the events after it", async () => {
    const { store } = await opened(bank);
    for (let time = 0; time < 103; time++) {
      await store.execute(account, "a", deposit(1));
    }
    await expect.poll(async () => (await store.stats()).snapshots).toBe(1);

    await store.append("account-a", [withdrawn(3)]);

    expect(await store.load(account, "a")).toEqual({ state: { owner: null, balance: 100 }, version: 104 });
    expect((await store.load(account, "a", { atVersion: 2 })).state.balance).toBe(2);
  });

  test("keeps numbers that JavaScript cannot hold, in a state that goes on and in a snapshot of it", async () => {
    const { store } = await opened(bank);
    // 2^53 + 1 is the first whole number that JavaScript has not.
    await store.execute(account, "a", deposit(2 ** 53 - 98));
    for (let time = 0; time < 99; time++) {
      await store.execute(account, "a", deposit(1));
    }
    await expect.poll(async () => (await store.stats()).snapshots).toBe(1);

    await store.append("account-a", [withdrawn(2 ** 53)]);

    expect(await store.load(account, "a")).toEqual({ state: { owner: null, balance: 1 }, version: 101 });
    await store.execute(account, "a", deposit(2 ** 53));
    expect((await store.execute(account, "a", withdraw(2 ** 53))).state.balance).toBe(1);
  });

  test("writes no event with a number that JavaScript would round", async () => {
    const made = (await engine()) as EngineModule & Record<"Core" | "Definitions", object>;
    const decide = vi.fn<() => string>();
    const changed = (known: object, own: object) =>
      Object.assign(
        Object.setPrototypeOf(() => {}, known),
        own,
      );
    const other = {
      ...made,
      Core: changed(made.Core, { onPanic: () => {} }),
      Definitions: changed(made.Definitions, { decide }),
    };
    const { store } = await opened({ ...bank, engine: async () => other });
    const deciding = (amount: string) => {
      const data = `{"amount":${amount},"rate":0.12345678901234567,"memo":"\\"9007199254740993"}`;
      decide.mockReturnValue(`{"events":[{"type":"account.money_deposited","data":${data}}]}`);
      return store.execute(account, "a", deposit(1));
    };

    await expect(deciding("9007199254740993")).rejects.toMatchObject({
      code: "decide-failed",
      message: expect.stringContaining("an event has 9007199254740993"),
      details: { definition: "account" },
    });
    await deciding("9007199254740994");

    expect(await store.load(account, "a")).toEqual({ state: { owner: null, balance: 2 ** 53 + 2 }, version: 1 });
  });

  test("is read by decisions and replayed event by event", async () => {
    const transfer = defineDecision({
      name: "transfer",
      version: 1,
      reads: ({ from, to }: { from: string; to: string; amount: number }) => [account.ref(from), account.ref(to)],
      decide: ({ amount }, [from]) => {
        if (from.balance < amount) {
          throw new Error("not enough");
        }
        return [[withdrawn(amount)], [deposited(amount)]];
      },
    });
    const { store } = await opened({ ...bank, decisions: [transfer] });
    await store.execute(account, "a", deposit(5));

    await store.execute(transfer, { from: "a", to: "b", amount: 3 });
    await expect(store.execute(transfer, { from: "a", to: "b", amount: 3 })).rejects.toMatchObject({ code: "refused" });

    const steps = await all(store.replay(account, "a"));
    expect(steps.map(({ state }) => state.balance)).toEqual([5, 2]);
  });

  test("tells a command that it cannot read", async () => {
    const { store } = await opened(bank);

    const wrong = store.execute(account, "a", { type: "Deposit", data: { amount: "1" } } as never);

    await expect(wrong).rejects.toMatchObject({
      code: "invalid-argument",
      message: expect.stringContaining("account: the command: invalid type: string"),
    });
  });

  test("tells the event that it cannot fold", async () => {
    const { store } = await opened(bank);
    await store.append("account-a", [deposited(1), { type: "account.closed" }]);

    await expect(store.load(account, "a")).rejects.toMatchObject({
      code: "evolve-failed",
      details: { definition: "account", streamId: "account-a", version: 2, type: "account.closed" },
    });
    expect((await store.load(account, "a", { atVersion: 1 })).state.balance).toBe(1);
  });
});

describe("a projection in Rust", () => {
  test("follows what is written", async () => {
    const { store } = await opened(bank);
    const view = store.view(balances);
    await store.execute(account, "a", open("Ann"));
    await store.execute(account, "a", deposit(100));

    expect(await view.get("account-a")).toEqual({ balance: 100, transactions: 1 });
    await store.execute(account, "a", withdraw(1));
    await store.execute(account, "b", deposit(5));

    expect(await view.getMany(["account-a", "account-b", "account-c"])).toEqual([
      { balance: 99, transactions: 2 },
      { balance: 5, transactions: 1 },
      undefined,
    ]);
    expect(await view.count()).toBe(2);
    expect(view.checkpoint()).toBe(4);
  });

  test("is listed by its indexes, page by page", async () => {
    const { store } = await opened(bank);
    for (const [id, owner] of ["Ann", "Bob", "Bob", "Cid", "Cid", "Cid"].entries()) {
      await store.execute(account, String(id), open(owner));
    }
    const view = store.view(owners);

    const first = await view.list({ index: "accounts", reverse: true, limit: 2 });
    const rest = await view.list({ index: "accounts", reverse: true, after: first[1] as never });

    expect(first).toEqual([
      { key: "Cid", row: { accounts: 3 } },
      { key: "Bob", row: { accounts: 2 } },
    ]);
    expect(rest).toEqual([{ key: "Ann", row: { accounts: 1 } }]);
  });

  test("has rows that others stored with other indexes in memory, until they are rebuilt", async () => {
    const twin = defineProjection({
      name: "owners",
      version: 1,
      events: ["account.opened"],
      key: ({ data }) => (data as { owner: string }).owner,
      evolve: (row: { accounts: number } | undefined) => ({ accounts: (row?.accounts ?? 0) + 1 }),
      indexes: { parity: ({ accounts }) => accounts % 2, accounts: ({ accounts }) => accounts },
    });
    const problems: unknown[] = [];
    const name = "rows of a twin";
    const other = await opened({ ...bank, name, projections: [twin] });
    const { store } = await opened({
      ...bank,
      name,
      onProblem: ({ code, details }) => problems.push({ code, details }),
    });
    const most = async () => {
      const entries = await store.view(owners).list({ index: "accounts", reverse: true });
      expect(await other.store.view(twin).list({ index: "accounts", reverse: true })).toEqual(entries);
      return entries.map(({ key, row }) => [key, row.accounts]);
    };
    for (const [id, owner] of ["Ann", "Bob", "Bob"].entries()) {
      await store.execute(account, String(id), open(owner));
    }
    expect(await most()).toEqual([
      ["Bob", 2],
      ["Ann", 1],
    ]);
    expect(problems).toEqual([{ code: "invalid-argument", details: { argument: "indexes" } }]);

    await store.rebuild(owners);
    await store.execute(account, "4", open("Cid"));

    expect(await most()).toEqual([
      ["Bob", 2],
      ["Cid", 1],
      ["Ann", 1],
    ]);
  });

  test("tells its watchers when their row changes", async () => {
    const { store } = await opened(bank);
    const live = store.view(balances).watch("account-a");
    let told = 0;
    live.subscribe(() => {
      told += 1;
    });
    await expect.poll(() => live.current.status).toBe("ready");
    const before = told;

    await store.execute(account, "b", deposit(1));
    await store.view(balances).count();
    await store.execute(account, "a", deposit(2));

    await expect.poll(() => live.current).toEqual({ status: "ready", value: { balance: 2, transactions: 1 } });
    expect(told).toBe(before + 1);
  });

  test("has the rows of its twin in TypeScript, byte for byte, folded, rebuilt and as of then", async () => {
    const { store, twin } = await twins();
    const reports: number[] = [];

    await store.rebuild(balances, { onProgress: ({ processed }) => reports.push(processed) });
    await store.rebuild(balances, { streams: ["account-3", "account-4"] });

    const rows = JSON.stringify(await store.view(balances).list());
    expect(rows).toBe(JSON.stringify(await store.view(twin).list()));
    expect(reports.at(-1)).toBe(3_000);
    const until = 1_000;
    const [ours, theirs] = [await store.project(balances, { until }), await store.project(twin, { until })];
    expect(await ours.count()).toBe(25);
    expect(JSON.stringify(await ours.list())).toBe(JSON.stringify(await theirs.list()));
    expect(await ours.get("account-7")).toEqual(await theirs.get("account-7"));
    expect(JSON.stringify(await store.view(balances).list())).toBe(rows);
  });

  test("keeps numbers that JavaScript cannot hold when a stream is rebuilt", async () => {
    const { store } = await opened(bank);
    await store.append("account-a", [deposited(2 ** 53), deposited(1)]);
    await store.view(balances).count();

    await store.rebuild(balances, { streams: ["account-a"] });

    await store.append("account-a", [withdrawn(2 ** 53)]);
    expect(await store.view(balances).get("account-a")).toEqual({ balance: 1, transactions: 3 });
  });

  test("tells who watches a row of it in an app that is older than the rows", async () => {
    const newer = defineProjection({
      name: "balances",
      version: 99,
      key: ({ streamId }) => streamId,
      evolve: (row: { events: number } | undefined) => ({ events: (row?.events ?? 0) + 1 }),
    });
    const { store: next } = await opened({ ...bank, name: "older", projections: [newer] });
    await next.execute(account, "a", deposit(1));
    expect(await next.view(newer).get("account-a")).toEqual({ events: 1 });
    const { store } = await opened({ ...bank, name: "older", onProblem: () => {} });
    const shown: unknown[] = [];
    store
      .view(balances)
      .watch("account-a")
      .subscribe(({ value }) => shown.push(value));
    await expect.poll(() => shown).toEqual([{ balance: 1, transactions: 1 }]);

    await store.execute(account, "a", deposit(2));

    await expect.poll(() => shown.at(-1)).toEqual({ balance: 3, transactions: 2 });
  });

  test("stops at an event that it cannot read, with the rows of all before it", async () => {
    const problems: string[] = [];
    const { store } = await opened({ ...bank, onProblem: ({ code }) => problems.push(code) });
    await store.append("account-a", [deposited(1), deposited(2)]);
    await store.append("account-a", [{ type: "account.money_deposited", data: { amount: "much" } }]);
    await store.append("account-a", [deposited(4)]);

    await expect(store.view(balances).get("account-a")).rejects.toMatchObject({
      code: "projection-failed",
      details: { projection: "balances", streamId: "account-a", version: 3, position: 3 },
    });

    expect(problems).toEqual(["projection-failed"]);
    const [failed] = (await store.stats()).projections;
    expect(failed).toMatchObject({
      name: "balances",
      version: 1,
      checkpoint: 2,
      failed: { code: "projection-failed" },
    });
    await expect(store.rebuild(balances)).rejects.toMatchObject({
      code: "rebuild-failed",
      details: { projection: "balances", partition: "account-a" },
    });
    expect(await store.view(owners).count()).toBe(0);
  });
});

describe("an engine of one's own", () => {
  test("is asked for definitions that it has", async () => {
    const unknown = { ...bank, projections: [rustProjection("turnover")] };

    await expect(opened(unknown)).rejects.toMatchObject({
      code: "invalid-argument",
      message: expect.stringContaining("none of its projections named turnover; it has balances, owners"),
    });
    await expect(opened({ ...bank, aggregates: [rustAggregate("loan")] })).rejects.toMatchObject({
      code: "invalid-argument",
    });
    await expect(opened({ projections: [balances] })).rejects.toMatchObject({ code: "invalid-argument" });
    expect(() => balances.key({} as never)).toThrow("open the store with its engine");
  });

  test("is of the release of the package and of the crate", () => {
    const packed = JSON.parse(readFileSync("package.json", "utf8")) as { version: string };
    const crate = /^version = "(.*)"$/m.exec(readFileSync("Cargo.toml", "utf8"))?.[1];

    expect([packed.version, crate]).toEqual([release, release]);
  });

  test("is what `everfold::module!` makes", async () => {
    const other = () => Promise.resolve({ default: async () => {} } as unknown as EngineModule);
    const missing = () => Promise.reject(new Error("no such file"));

    await expect(opened({ engine: other })).rejects.toMatchObject({ code: "invalid-argument" });
    await expect(opened({ engine: missing })).rejects.toMatchObject({ code: "wasm-failed" });
    await expect(opened({ engine: 7 as never })).rejects.toMatchObject({ code: "invalid-argument" });
  });

  test.each([
    ["of another release", { release: "0.0.9" }, "version 0.0.9 of the crate everfold"],
    ["older than the question", {}, "an earlier version of the crate everfold"],
  ])("%s is refused before it opens anything", async (_, list, says) => {
    const { old, opens } = await describedAs(() => JSON.stringify(list));

    await expect(opened({ ...bank, engine: async () => old })).rejects.toMatchObject({
      code: "invalid-argument",
      details: { argument: "engine" },
      message: expect.stringContaining(says),
    });
    expect(opens).not.toHaveBeenCalled();
  });

  test("with an index named by a number is refused: JavaScript would number its indexes otherwise", async () => {
    const { old } = await describedAs((list) => list.replace('"indexes":["accounts"]', '"indexes":["b","10"]'));

    await expect(opened({ ...bank, engine: async () => old })).rejects.toMatchObject({
      code: "invalid-argument",
      message: expect.stringContaining("projection owners has an index named 10"),
    });
  });

  test("is one for all handles on a store", async () => {
    const { store } = await opened({ ...bank, name: "shared" });
    const second = await opened({ ...bank, name: "shared", projections: [balances] });
    await store.execute(account, "a", deposit(1));

    expect(await second.store.view(balances).get("account-a")).toEqual({ balance: 1, transactions: 1 });
    const published = await opened({ name: "published" });
    await expect(opened({ ...bank, name: "published" })).rejects.toMatchObject({
      code: "invalid-argument",
      details: { argument: "engine" },
    });
    expect((await published.store.stats()).events).toBe(0);
  });

  test("that panics in a rule fails the call, and with it a store in memory", async () => {
    const { store } = await opened({ ...bank, onProblem: () => {} });
    await store.execute(account, "a", deposit(tooMuch));

    await expect(store.execute(account, "a", deposit(tooMuch))).rejects.toMatchObject({
      code: "wasm-failed",
      message: expect.stringContaining("attempt to add with overflow"),
    });

    await expect(store.load(account, "a")).rejects.toMatchObject({ code: "wasm-failed" });
    const next = await opened(bank);
    await next.store.execute(account, "a", deposit(1));
    expect(await next.store.view(balances).count()).toBe(1);
  });

  test("whose glue cannot start afresh is dead after a panic, and says so", async () => {
    const { __wbg_reset_state: _, ...rest } = (await engine()) as EngineModule & {
      readonly __wbg_reset_state: unknown;
    };
    const { store } = await opened({ ...bank, engine: async () => rest, onProblem: () => {} });
    await store.execute(account, "a", deposit(tooMuch));

    await expect(store.execute(account, "a", deposit(tooMuch))).rejects.toMatchObject({
      code: "wasm-failed",
      message: expect.stringContaining("will not be started again: reload the page"),
    });
    await expect(opened({ ...bank, engine: async () => rest })).rejects.toMatchObject({ code: "wasm-failed" });
  });
});

/** The module with another description. It keeps the instance that the others share, and so the hook for panics. */
async function describedAs(other: (list: string) => string) {
  const made = (await engine()) as EngineModule & {
    readonly Core: { open(options: unknown): Promise<unknown> };
    readonly Definitions: { describe(): string };
  };
  const opens = vi.fn((options: unknown) => made.Core.open(options));
  const old: EngineModule = {
    ...made,
    Core: Object.assign(
      Object.setPrototypeOf(() => {}, made.Core),
      { open: opens, onPanic: () => {} },
    ),
    Definitions: Object.assign(() => {}, { describe: () => other(made.Definitions.describe()) }),
  };
  return { old, opens };
}

/** A store of 3,000 events over 50 accounts, with the balances in both languages. */
async function twins() {
  const accountHere = defineAggregate({
    name: "account",
    version: 1,
    initialState: () => ({}),
    decide: (_: never): AccountEvent[] => [],
    evolve: (state) => state,
  });
  const twin = defineProjection({
    name: "twin",
    version: 1,
    from: [accountHere],
    events: ["account.money_deposited", "account.money_withdrawn"],
    key: (event) => event.streamId,
    evolve: (row: Balance | undefined, { type, data: { amount } }) => ({
      balance: (row?.balance ?? 0) + (type === "account.money_deposited" ? amount : -amount),
      transactions: (row?.transactions ?? 0) + 1,
    }),
  });
  const { store } = await opened({ engine, wasm, aggregates: [accountHere], projections: [balances, twin] });
  const events = Array.from({ length: 3_000 }, (_, number) => ({
    streamId: `account-${(number * 7) % 50}`,
    ...(number % 3 === 0 ? withdrawn(number) : deposited(number * 2)),
    occurredAt: number < 25 ? 1_000 : 1_000 + number,
  }));
  await store.ingest([events.slice(0, 1_000), events.slice(1_000, 2_000), events.slice(2_000)]);
  return { store, twin };
}

describe("with sync", () => {
  test("rows and states in Rust have what is pending on top", async () => {
    const server = fakeServer();
    let cut = true;
    vi.stubGlobal("fetch", (address: string, init: RequestInit) =>
      cut ? Promise.reject(new TypeError("no network")) : server.fetch(address, init),
    );
    const sync = { url: "https://sync.example.com", space: "acme", subject: "ann", token: () => "token" };
    const { store } = await opened({ ...bank, sync });
    const check = async (rows: Record<string, Balance>, accounts: Record<string, number>) => {
      const list = await store.view(balances).list();
      expect(Object.fromEntries(list.map(({ key, row }) => [key, row]))).toEqual(rows);
      const found = await store.view(owners).list({ index: "accounts" });
      expect(found.map(({ key, row }) => [key, row.accounts])).toEqual(Object.entries(accounts));
      expect(await store.view(balances).count()).toBe(list.length);
      const then = await store.project(balances);
      expect(await then.list()).toEqual(list);
      then.dispose();
    };

    const receipts = [await store.execute(account, "a", open("Ann")), await store.execute(account, "a", deposit(5))];
    await check({ "account-a": { balance: 5, transactions: 1 } }, { Ann: 1 });
    await store.execute(account, "b", open("Bob"));
    await store.execute(account, "a", withdraw(2));
    await check({ "account-a": { balance: 3, transactions: 2 } }, { Ann: 1, Bob: 1 });

    cut = false;
    await store.sync.now();
    await Promise.all(receipts.map((receipt) => receipt.confirmed()));
    await check({ "account-a": { balance: 3, transactions: 2 } }, { Ann: 1, Bob: 1 });
    expect(server.commits).toHaveLength(4);
    vi.unstubAllGlobals();
  });
});
