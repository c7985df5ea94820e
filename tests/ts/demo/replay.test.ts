import { describe, expect, test } from "vitest";
import { type Condition, cameAbout, textOf } from "../../../www/src/account/replay/condition.ts";
import { valueAt } from "../../../www/src/account/replay/pointer.ts";
import { type AccountEvent, account } from "../../../www/src/ledger.ts";

const history: readonly AccountEvent[] = [
  { type: "account.opened", data: { owner: "Ann" } },
  { type: "account.money_deposited", data: { amount: 10_000 } },
  { type: "account.frozen", data: { reason: "lost" } },
  { type: "account.unfrozen" },
  { type: "account.money_withdrawn", data: { amount: 9_950 } },
  { type: "account.money_withdrawn", data: { amount: 10 } },
];

describe("a condition", () => {
  test.each<[Condition, AccountEvent["type"] | undefined]>([
    [{ kind: "below", amount: 100 }, "account.money_withdrawn"],
    [{ kind: "below", amount: 40 }, undefined],
    [{ kind: "below", amount: 10_001 }, undefined],
    [{ kind: "above", amount: 9_999 }, "account.money_deposited"],
    [{ kind: "above", amount: 10_000 }, undefined],
    [{ kind: "above", amount: -1 }, undefined],
    [{ kind: "frozen" }, "account.frozen"],
  ])("%j came about first by %s", (condition, type) => {
    let state = account.initialState();
    const first = history.find((event) => {
      state = account.evolve(state, event);
      return cameAbout(condition, state, event);
    });

    expect(first?.type).toBe(type);
  });

  test("is said in words", () => {
    expect(textOf({ kind: "below", amount: 100_000 })).toBe("the balance fell below 1,000.00\u00a0CZK");
    expect(textOf({ kind: "frozen" })).toBe("the account was frozen");
  });
});

test.each([
  ["", { a: 1 }, { a: 1 }],
  ["/a", { a: 1 }, 1],
  ["/a/1/b", { a: [0, { b: 2 }] }, 2],
  ["/a~1b/~0", { "a/b": { "~": 3 } }, 3],
  ["/", { "": 4 }, 4],
  ["/a/b", { a: 1 }, undefined],
  ["/toString", {}, undefined],
])("the pointer %j leads to what it names", (pointer, root, value) => {
  expect(valueAt(root, pointer)).toEqual(value);
});
