import { describe, expect, test } from "vitest";
import { defineAggregate } from "../../ts/aggregate.js";
import { defineDecision } from "../../ts/decision.js";
import type { Event } from "../../ts/event.js";
import { defineProjection } from "../../ts/projection.js";
import { type FakeClock, fakeClock, given, seededIds } from "../../ts/testing.js";
import { account, balances, deposit, deposited, frozen, opened, transfer, withdraw, withdrawn } from "./ledger.js";
import { opened as openStoreOfTest } from "./opened.js";

const messageOf = (act: () => unknown): string => {
  try {
    act();
  } catch (error) {
    return (error as Error).message;
  }
  return "";
};

describe("given an aggregate", () => {
  test("a command is followed by its events", () => {
    given(account, [opened("Ann"), deposited(5)])
      .when(withdraw(3))
      .then([withdrawn(3)]);
    given(account, []).when(deposit(1)).then(deposited(1));
    given(account, []).when(deposit(0)).then([]);
  });

  test("a refusal is known by its message, or by what a function says of it", () => {
    const refused = given(account, [opened("Ann")]).when(withdraw(3));

    refused.thenRefused();
    refused.thenRefused("not enough money");
    refused.thenRefused(/0 is left$/);
    refused.thenRefused((error) => error instanceof Error);
    expect(messageOf(() => refused.thenRefused("frozen"))).toBe(
      "refused with Error: not enough money: 0 is left, expected frozen",
    );
  });

  test.each<[string, unknown, string]>([
    ["an object", { reason: "overdrawn" }, "overdrawn"],
    ["a text", "overdrawn", "overdrawn"],
    ["what is no text in any way", Object.create(null), "{}"],
  ])("a refusal that is %s is known by what a store says of it", (_, thrown, said) => {
    const refusing = defineAggregate({
      name: "refusing",
      version: 1,
      initialState: () => 0,
      decide: (_: { type: "Go" }): Event<"went">[] => {
        throw thrown;
      },
      evolve: (state) => state,
    });
    const refused = given(refusing, []).when({ type: "Go" });

    refused.thenRefused(said);
    refused.thenRefused((error) => error === thrown);
    expect(messageOf(() => refused.thenRefused("frozen"))).toContain(said);
    expect(messageOf(() => refused.then([]))).toContain(said);
  });

  test("a state is compared before and after", () => {
    given(account, [deposited(5)]).thenState({ balance: 5, frozen: false });
    given(account, [deposited(5)])
      .when(withdraw(2))
      .thenState({ balance: 3, frozen: false });
  });

  test("what differs is shown line by line", () => {
    expect(
      messageOf(() =>
        given(account, [deposited(5)])
          .when(withdraw(3))
          .then([withdrawn(2)]),
      ),
    ).toBe(
      `the events are not as expected

- expected
+ actual

  [
    {
      "data": {
-       "amount": 2
+       "amount": 3
      },
      "type": "account.withdrawn"
    }
  ]`,
    );
  });

  test("events where a refusal was expected, and the other way round, say what happened", () => {
    expect(messageOf(() => given(account, []).when(deposit(1)).thenRefused())).toContain(
      "expected a refusal, but decide returned",
    );
    expect(messageOf(() => given(account, [frozen]).when(deposit(1)).then([]))).toBe(
      "expected events, but decide refused: Error: the account is frozen",
    );
  });

  test("an await in the wrong place is said, not waited for", async () => {
    // @ts-expect-error: what `when` returns is no promise
    await expect(async () => await given(account, []).when(deposit(1))).rejects.toThrow("nothing to await");
  });

  test("an evolve that changes its state fails", () => {
    const careless = defineAggregate({
      name: "careless",
      version: 1,
      initialState: () => ({ count: 0 }),
      decide: (_: { type: "Count" }): Event<"counted"> => ({ type: "counted" }),
      evolve: (state) => {
        state.count++;
        return state;
      },
    });

    expect(messageOf(() => given(careless, [{ type: "counted" }]))).toContain("evolve failed at event 1 (counted)");
  });

  test("a decide that reads the clock fails", () => {
    let time = 0;
    const ticking = defineAggregate({
      name: "ticking",
      version: 1,
      initialState: () => 0,
      decide: (_: { type: "Tick" }): Event<"ticked", { at: number }> => ({ type: "ticked", data: { at: time++ } }),
      evolve: (state) => state,
    });

    expect(messageOf(() => given(ticking, []).when({ type: "Tick" }))).toContain(
      "it must not read clock or randomness",
    );
  });

  test("a bug in decide is no refusal", () => {
    expect(messageOf(() => given(account, []).when({ type: "Open" } as never))).toContain('decide of "account" failed');
  });

  test.each<[string, () => unknown]>([
    ["an event that cannot be stored", () => ({ type: "went", data: { at: new Date(0) } })],
    ["something that is no event", () => "went"],
    ["a promise", () => Promise.reject(new Error("later"))],
  ])("%s is no refusal", (_, decide) => {
    const odd = defineAggregate({
      name: "odd",
      version: 1,
      initialState: () => 0,
      decide: decide as (_: { type: "Go" }) => Event<"went">,
      evolve: (state) => state,
    });

    expect(messageOf(() => given(odd, []).when({ type: "Go" }).thenRefused())).toContain('decide of "odd" failed');
  });

  test("an old event goes through the upcasters", () => {
    const renamed = defineAggregate({
      name: "renamed",
      version: 1,
      initialState: () => ({ owner: "" }),
      decide: (_: { type: "Open" }): Event<"opened", { owner: string }> => ({ type: "opened", data: { owner: "" } }),
      evolve: (_, event) => ({ owner: event.data.owner }),
      schemaVersions: { opened: 2 },
      upcasters: { opened: { 1: (data: { name: string }) => ({ owner: data.name }) } },
    });

    given(renamed, [{ type: "opened", schemaVersion: 1, data: { name: "Ann" } }]).thenState({ owner: "Ann" });
  });
});

describe("given a decision", () => {
  const both = given(transfer, [
    [account.ref("a"), [opened("Ann"), deposited(5)]],
    [account.ref("b"), [opened("Bob")]],
  ]);

  test("each aggregate read has its list of events", () => {
    both.when({ from: "a", to: "b", amount: 5 }).then([[withdrawn(5)], [deposited(5)]]);
  });

  test("a refusal is refused", () => {
    both.when({ from: "b", to: "a", amount: 1 }).thenRefused("not enough money");
  });
});

describe("given a decision that fails,", () => {
  const reads = (_: { type: "Go" }) => [account.ref("a"), account.ref("b")];
  test.each([
    ["too few lists are", defineDecision({ name: "odd", version: 1, reads, decide: () => [[]] })],
    [
      "reads that throws is",
      defineDecision({
        name: "odd",
        version: 1,
        reads: (_: { type: "Go" }): ReturnType<typeof reads> => {
          throw new Error("no such account");
        },
        decide: () => [[], []],
      }),
    ],
  ])("%s no refusal", (_, odd) => {
    expect(messageOf(() => given(odd, []).when({ type: "Go" }).thenRefused())).toContain('decide of "odd" failed');
  });
});

describe("given a projection", () => {
  const history = [
    { streamId: "account-a", ...opened("Ann") },
    { streamId: "account-a", ...frozen },
    { streamId: "other-a", ...deposited(100) },
    { streamId: "account-a", ...deposited(5) },
  ] as never[];

  test("rows are compared by key", () => {
    given(balances, history).then({ "account-a": { owner: "Ann", balance: 5 } });
    given(balances, history)
      .when({ streamId: "account-a", type: "account.withdrawn", data: { amount: 5 } })
      .then({ "account-a": { owner: "Ann", balance: 0 } });
  });

  const counts = {
    name: "counts",
    version: 1,
    key: (event: { streamId: string }): string | readonly string[] | null => event.streamId,
    evolve: (row: { n: number } = { n: 0 }): { n: number } | undefined => ({ n: row.n + 1 }),
  };
  test.each<[string, Partial<typeof counts> & { indexes?: { n: () => number } }]>([
    ["a key that is no text", { key: () => 5 as never }],
    ["a row that is null", { evolve: () => null as never }],
    ["a row that is no JSON", { evolve: () => ({ n: Number.NaN }) }],
    ["an index value that is none", { indexes: { n: () => Number.NaN } }],
  ])("%s fails, as it stops the projection of a store", (_, wrong) => {
    const counting = given(defineProjection({ ...counts, ...wrong }), [{ streamId: "a", type: "counted" }]);

    expect(messageOf(() => counting.then({}))).toContain("projection counts stopped at event given-1:1:0 (counted)");
  });

  test("rows of several keys share no parts", () => {
    const labels = defineProjection({
      name: "labels",
      version: 1,
      key: () => ["a", "b"],
      evolve: (row: { for: string[] } | undefined, { data }, key) => {
        const labelled = row ?? (data as { for: string[] });
        labelled.for.push(key);
        return labelled;
      },
    });

    given(labels, [{ streamId: "x", type: "labelled", data: { for: [] } }]).then({
      a: { for: ["a"] },
      b: { for: ["b"] },
    });
  });
});

test("a fake clock goes on only when it is told", () => {
  const clock = fakeClock(10);

  clock.advance(5);

  expect(clock.now()).toBe(15);
});

test("a store of a test goes by a clock of one's own, also by one of a class", async () => {
  class Steps implements FakeClock {
    private time = 0;
    now() {
      return this.time;
    }
    set(time: number) {
      this.time = time;
    }
    advance(ms: number) {
      this.time += ms;
    }
  }
  const { store, clock } = await openStoreOfTest({ clock: new Steps() });

  clock.advance(5);

  expect((await store.append("notes", [{ type: "noted" }])).events[0]?.recordedAt).toBe(5);
});

test("seeded ids are the same in every run and unlike each other", () => {
  const ids = Array.from({ length: 1_000 }, seededIds(7));

  expect(new Set(ids).size).toBe(1_000);
  expect(ids).toEqual(Array.from({ length: 1_000 }, seededIds(7)));
  expect(ids[0]).not.toBe(seededIds(8)());
});
