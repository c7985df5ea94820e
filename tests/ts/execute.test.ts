import { describe, expect, test } from "vitest";
import { defineAggregate } from "../../ts/aggregate.js";
import { defineDecision } from "../../ts/decision.js";
import { EverfoldError, isEverfoldError } from "../../ts/errors.js";
import type { Event } from "../../ts/event.js";
import { account, balances, deposit, deposited, opened as openedEvent, transfer, withdraw } from "./ledger.js";
import { all, opened } from "./opened.js";

const definitions = { aggregates: [account], decisions: [transfer], projections: [balances] } as const;
const codeOf = async (promise: Promise<unknown>) => {
  const error = await promise.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  return isEverfoldError(error) ? error.code : error;
};

describe("a receipt", () => {
  test("tells what was written, as reading tells it", async () => {
    const { store, clock } = await opened(definitions);
    clock.set(1_000);

    const receipt = await store.execute(account, "a", deposit(5), {
      metadata: { by: "Ann" },
      causationId: "click",
      correlationId: "visit",
    });

    expect(receipt).toMatchObject({ streamId: "account-a", version: 1, position: 1, state: { balance: 5 } });
    expect(receipt.events).toMatchObject([
      {
        type: "account.deposited",
        data: { amount: 5 },
        metadata: { by: "Ann" },
        occurredAt: 1_000,
        recordedAt: 1_000,
        commitId: receipt.commitId,
        causationId: "click",
        correlationId: "visit",
        attempt: 1,
        status: "confirmed",
        schemaVersion: 1,
      },
    ]);
    expect(await all(store.read())).toStrictEqual(receipt.events);
    expect(Object.isFrozen(receipt.state)).toBe(true);
  });

  test("is confirmed at once without sync, unless its signal is aborted", async () => {
    const { store } = await opened(definitions);
    const receipt = await store.execute(account, "a", deposit(5));

    expect(await receipt.confirmed()).toMatchObject({
      changed: false,
      commitId: receipt.commitId,
      version: 1,
      position: 1,
      state: { balance: 5 },
    });
    expect(await store.outcome(receipt.commitId)).toBe("confirmed");
    expect(await store.outcome("nobody's")).toBe("unknown");
    expect(await codeOf(receipt.confirmed({ signal: AbortSignal.abort() }))).toBe("aborted");
  });

  test("of a command that does nothing has no events and writes none", async () => {
    const { store } = await opened(definitions);
    await store.execute(account, "a", deposit(5));

    const receipt = await store.execute(account, "a", deposit(0));

    expect(receipt).toMatchObject({ events: [], version: 1, position: 1, state: { balance: 5 } });
    expect((await store.stats()).events).toBe(1);
  });

  test("of a decision has what became of each aggregate", async () => {
    const { store } = await opened(definitions);
    await store.execute(account, "a", deposit(5));

    const receipt = await store.execute(transfer, { from: "a", to: "b", amount: 3 });

    expect(receipt.streams).toMatchObject([
      { streamId: "account-a", version: 2, state: { balance: 2 } },
      { streamId: "account-b", version: 1, state: { balance: 3 } },
    ]);
    expect(new Set(receipt.events.map(({ commitId }) => commitId))).toEqual(new Set([receipt.commitId]));
    expect(receipt.events.map(({ eventId }) => eventId)).toEqual([
      `${receipt.commitId}:1:0`,
      `${receipt.commitId}:1:1`,
    ]);
    expect(receipt.position).toBe(3);
  });
});

describe("an expected version", () => {
  test("that holds lets the command through", async () => {
    const { store } = await opened(definitions);

    await store.execute(account, "a", deposit(1), { expectedVersion: "no-stream" });
    await store.execute(account, "a", deposit(1), { expectedVersion: 1 });
    await store.execute(account, "a", deposit(1), { expectedVersion: "stream-exists" });
    await store.execute(account, "a", deposit(1), { expectedVersion: "any" });

    expect((await store.load(account, "a")).version).toBe(4);
  });

  test.each([
    [0, 1],
    [2, 1],
    ["no-stream", 1],
  ] as const)("%s that does not hold is a conflict with both versions", async (expectedVersion, actual) => {
    const { store } = await opened(definitions);
    await store.execute(account, "a", deposit(1));

    const calls = [
      store.execute(account, "a", deposit(1), { expectedVersion }),
      store.append("account-a", [deposited(1)], { expectedVersion }),
      store.commit([{ streamId: "account-a", events: [deposited(1)], expectedVersion }]),
    ];

    for (const call of calls) {
      await expect(call).rejects.toMatchObject({
        code: "conflict",
        details: { streamId: "account-a", expected: expectedVersion, actual },
      });
    }
    expect((await store.load(account, "a")).version).toBe(1);
  });

  test("of a stream that must exist", async () => {
    const { store } = await opened(definitions);

    expect(await codeOf(store.append("account-a", [deposited(1)], { expectedVersion: "stream-exists" }))).toBe(
      "conflict",
    );
  });

  test("of one stream fails the whole commit", async () => {
    const { store } = await opened(definitions);

    const commit = store.commit([
      { streamId: "account-a", events: [deposited(1)] },
      { streamId: "account-b", events: [deposited(1)], expectedVersion: 3 },
    ]);

    expect(await codeOf(commit)).toBe("conflict");
    expect(await all(store.read())).toEqual([]);
  });
});

describe("many calls at once", () => {
  test("are decided one after another: no update is lost, no rule broken", async () => {
    const { store } = await opened(definitions);
    await store.execute(account, "a", deposit(10));

    const outcomes = await Promise.all(
      Array.from({ length: 64 }, () => codeOf(store.execute(account, "a", withdraw(1)))),
    );

    expect(outcomes.filter((code) => code === undefined)).toHaveLength(10);
    expect(outcomes.filter((code) => code === "refused")).toHaveLength(54);
    expect(await store.load(account, "a")).toEqual({ state: { balance: 0, frozen: false }, version: 11 });
  });

  test("with the same number expected: one wins", async () => {
    const { store } = await opened(definitions);

    const outcomes = await Promise.all(
      Array.from({ length: 8 }, () => codeOf(store.execute(account, "a", deposit(1), { expectedVersion: 0 }))),
    );

    expect(outcomes.sort()).toEqual([...Array<string>(7).fill("conflict"), undefined]);
  });

  test("see what the ones before them decided, over several aggregates too", async () => {
    const { store } = await opened(definitions);
    await store.execute(account, "a", deposit(5));

    const outcomes = await Promise.all([
      codeOf(store.execute(transfer, { from: "a", to: "b", amount: 5 })),
      codeOf(store.execute(transfer, { from: "a", to: "c", amount: 5 })),
      codeOf(store.execute(transfer, { from: "b", to: "c", amount: 5 })),
    ]);

    expect(outcomes).toEqual([undefined, "refused", undefined]);
    expect((await store.load(account, "c")).state.balance).toBe(5);
  });
});

describe("a commit id", () => {
  test("that comes again with the same command returns the first receipt and writes nothing", async () => {
    const { store } = await opened(definitions);
    const first = await store.execute(account, "a", deposit(5), { commitId: "once" });
    await store.execute(account, "a", deposit(1));

    const again = await store.execute(account, "a", deposit(5), { commitId: "once" });

    expect(again).toMatchObject({ commitId: "once", version: 1, position: 1, state: { balance: 5 } });
    expect(again.events).toStrictEqual(first.events);
    expect((await store.stats()).events).toBe(2);
  });

  test("that comes again before the first is written is the same commit", async () => {
    const { store } = await opened(definitions);

    const [first, second] = await Promise.all([
      store.execute(account, "a", deposit(5), { commitId: "once" }),
      store.execute(account, "a", deposit(5), { commitId: "once" }),
    ]);

    expect(second.events).toStrictEqual(first.events);
    expect((await store.load(account, "a")).state.balance).toBe(5);
  });

  test("with the properties in another order is the same content", async () => {
    const { store } = await opened(definitions);
    const event = (data: object) => ({ type: "noted", data });
    await store.append("notes", [event({ a: 1, b: { c: 2, d: undefined } })], { commitId: "once" });

    const again = await store.append("notes", [event({ b: { c: 2 }, a: 1 })], { commitId: "once" });

    expect(again.version).toBe(1);
  });

  test.each<[string, (store: Awaited<ReturnType<typeof bank>>) => Promise<unknown>]>([
    ["another command", (store) => store.execute(account, "a", deposit(6), { commitId: "once" })],
    ["another aggregate", (store) => store.execute(account, "b", deposit(5), { commitId: "once" })],
    ["a decision", (store) => store.execute(transfer, { from: "a", to: "b", amount: 5 }, { commitId: "once" })],
    ["other metadata", (store) => store.execute(account, "a", deposit(5), { commitId: "once", metadata: { by: 1 } })],
    ["events instead of a command", (store) => store.append("account-a", [deposited(5)], { commitId: "once" })],
    ["no events", (store) => store.append("account-a", [], { commitId: "once" })],
  ])("with %s is commit-id-reused", async (_, act) => {
    const store = await bank();

    await expect(act(store)).rejects.toMatchObject({ code: "commit-id-reused", details: { commitId: "once" } });

    expect(await store.load(account, "a")).toEqual({ state: { balance: 5, frozen: false }, version: 1 });
  });

  async function bank() {
    const { store } = await opened(definitions);
    await store.execute(account, "a", deposit(5), { commitId: "once" });
    return store;
  }

  test("of a refused command is not used up", async () => {
    const { store } = await opened(definitions);
    expect(await codeOf(store.execute(account, "a", withdraw(5), { commitId: "once" }))).toBe("refused");
    await store.execute(account, "a", deposit(5));

    const receipt = await store.execute(account, "a", withdraw(5), { commitId: "once" });

    expect(receipt.state.balance).toBe(0);
  });

  test("is found after thousands of commits", async () => {
    const { store } = await opened(definitions);
    await store.execute(account, "a", deposit(5), { commitId: "once" });
    for (let round = 0; round < 3; round++) {
      await store.ingest(Array.from({ length: 300 }, () => ({ ...[], ...batch() })));
    }

    const again = await store.execute(account, "a", deposit(5), { commitId: "once" });

    expect(again.position).toBe(1);

    function batch() {
      return { commitId: `batch-${Math.random()}`, events: [{ streamId: "account-z", ...deposited(1) }] };
    }
  });
});

describe("the caller's own objects", () => {
  test("may change while the call is under way, and are never frozen", async () => {
    const { store } = await opened(definitions);
    const command = { type: "Deposit" as const, data: { amount: 5 } };
    const event = { type: "account.deposited" as const, data: { amount: 7 } };

    const executing = store.execute(account, "a", command);
    const appending = store.append("account-b", [event]);
    command.data.amount = 500;
    event.data.amount = 700;
    await Promise.all([executing, appending]);

    expect((await store.load(account, "a")).state.balance).toBe(5);
    expect((await store.load(account, "b")).state.balance).toBe(7);
    expect(Object.isFrozen(command.data)).toBe(false);
  });
});

describe("an aggregate", () => {
  test.each([
    ["an error of its own", new Error("less than nothing")],
    ["an error of this package", new EverfoldError("conflict", "less", { streamId: "s", expected: 1, actual: 0 })],
  ])("that evolves badly is evolve-failed, throwing %s, and its stream can still be read", async (_, cause) => {
    const brittle = defineAggregate({
      name: "brittle",
      version: 1,
      initialState: () => ({ total: 0 }),
      decide: (command: { type: "Add"; data: { n: number } }): Event<"added", { n: number }> => ({
        type: "added",
        data: command.data,
      }),
      evolve: (state, event) => {
        if (event.data.n < 0) {
          throw cause;
        }
        return { total: state.total + event.data.n };
      },
    });
    const { store } = await opened({ aggregates: [brittle] });
    await store.execute(brittle, "1", { type: "Add", data: { n: 1 } });

    expect(await codeOf(store.execute(brittle, "1", { type: "Add", data: { n: -1 } }))).toBe("evolve-failed");
    expect(await store.load(brittle, "1")).toEqual({ state: { total: 1 }, version: 1 });

    await store.append("brittle-1", [{ type: "added", data: { n: -1 } }]);
    await expect(store.load(brittle, "1")).rejects.toMatchObject({
      code: "evolve-failed",
      details: { definition: "brittle", streamId: "brittle-1", version: 2, type: "added" },
      cause,
    });
    expect(await all(store.read({ streamId: "brittle-1" }))).toHaveLength(2);
  });

  test.each(["initialState", "evolve"] as const)("whose %s answers later is evolve-failed", async (later) => {
    const late = defineAggregate({
      name: "late",
      version: 1,
      initialState: () => ({ total: 0 }),
      decide: (_: { type: "Add" }): Event<"added"> => ({ type: "added" }),
      evolve: (state) => ({ total: state.total + 1 }),
      [later]: () => Promise.reject(new Error("too late")),
    });
    const { store } = await opened({ aggregates: [late] });

    await expect(store.execute(late, "1", { type: "Add" })).rejects.toMatchObject({
      code: "evolve-failed",
      message: expect.stringContaining("it returned a promise"),
      details: { definition: "late" },
    });
    expect(await all(store.read())).toEqual([]);
  });

  test("that changes its state in place is evolve-failed", async () => {
    const careless = defineAggregate({
      name: "careless",
      version: 1,
      initialState: () => ({ list: [] as number[] }),
      decide: (_: { type: "Add" }): Event<"added"> => ({ type: "added" }),
      evolve: (state) => {
        state.list.push(1);
        return state;
      },
    });
    const { store } = await opened({ aggregates: [careless] });

    expect(await codeOf(store.execute(careless, "1", { type: "Add" }))).toBe("evolve-failed");
  });

  test("sees the same event now and after a reload", async () => {
    const seen: unknown[] = [];
    const watching = () =>
      defineAggregate({
        name: "watching",
        version: 1,
        initialState: () => 0,
        decide: (_: { type: "Go" }): Event<"went", unknown> => ({ type: "went", data: { at: -0, left: undefined } }),
        evolve: (state, event) => {
          seen.push(event);
          return state + 1;
        },
      });
    const live = watching();
    const { store } = await opened({ aggregates: [live] });
    await store.execute(live, "1", { type: "Go" }, { metadata: { by: "Ann" } });
    const fresh = watching();
    const again = await opened({ aggregates: [fresh] });
    await again.store.import(await store.export());

    await again.store.load(fresh, "1");

    expect(seen).toHaveLength(2);
    expect(seen[1]).toStrictEqual(seen[0]);
    expect(Object.keys(seen[0] as object).sort()).toEqual(["data", "metadata", "occurredAt", "type"]);
    expect((seen[0] as { data: object }).data).toStrictEqual({ at: 0 });
  });
});

describe("a decision", () => {
  const guarded = defineDecision({
    name: "guarded",
    version: 1,
    reads: (command: { guard: string; target: string }) => [account.ref(command.guard), account.ref(command.target)],
    decide: (_, [guard]) => {
      if (guard.frozen) {
        throw new Error("guarded");
      }
      return [[], [deposited(1)]];
    },
  });

  test("is checked against aggregates that it read and did not write", async () => {
    const { store } = await opened({ aggregates: [account], decisions: [guarded] });

    const outcomes = await Promise.all([
      codeOf(store.execute(account, "g", { type: "Freeze" })),
      codeOf(store.execute(guarded, { guard: "g", target: "t" })),
    ]);

    expect(outcomes).toEqual([undefined, "refused"]);
    expect((await store.load(account, "t")).version).toBe(0);
  });

  test("that reads one aggregate twice is refused or exact, never half", async () => {
    const { store } = await opened(definitions);
    await store.append("account-a", [openedEvent("Ann"), deposited(5)]);

    const code = await codeOf(store.execute(transfer, { from: "a", to: "a", amount: 3 }));

    const { state, version } = await store.load(account, "a");
    expect(state.balance).toBe(5);
    expect(version).toBe(code === undefined ? 4 : 2);
  });
});
