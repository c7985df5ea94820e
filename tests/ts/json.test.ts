import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { asStored, checkJson, deepFreeze, jsonProblem, MAX_DEPTH } from "../../ts/json.js";
import { thrownBy } from "./thrown.js";

class Money {
  constructor(readonly amount: number) {}
}

function nested(depth: number): unknown {
  let value: unknown = 1;
  for (let level = 0; level < depth; level++) {
    value = { inner: value };
  }
  return value;
}

const itself: Record<string, unknown> = { list: [{}] };
(itself["list"] as unknown[]).push({ again: itself });

describe("what JSON cannot hold is refused with its path", () => {
  const cases: readonly (readonly [string, unknown, string, string])[] = [
    ["a Date", { items: [0, 1, 2, { at: new Date(0) }] }, ".items[3].at", "is a Date, not a plain object"],
    ["a Map", { index: new Map() }, ".index", "is a Map, not a plain object"],
    ["a class instance", { price: new Money(1) }, ".price", "is a Money, not a plain object"],
    ["a boxed number", { n: Object(1) }, ".n", "is a Number, not a plain object"],
    ["bytes", { bytes: new Uint8Array(1) }, ".bytes", "is a Uint8Array, not a plain object"],
    ["a promise", Promise.resolve(), "", "is a Promise, not a plain object"],
    ["a BigInt", { amount: 1n }, ".amount", "is a bigint"],
    ["NaN", [Number.NaN], "[0]", "is NaN"],
    ["infinity", { n: -1 / 0 }, ".n", "is -Infinity"],
    ["a function", { run() {} }, ".run", "is a function"],
    ["an object that says how it is written", { toJSON: () => 1 }, ".toJSON", "is a function"],
    ["a symbol", { s: Symbol("s") }, ".s", "is a symbol"],
    ["undefined in an array", { list: [1, undefined] }, ".list[1]", "is undefined, in an array"],
    ["a hole in an array", { list: new Array(2) }, ".list[0]", "is undefined, in an array"],
    ["half of a surrogate pair", { name: "\ud800" }, ".name", "holds half of a surrogate pair"],
    ["half a pair in a name", { "\udc00": 1 }, '["\\udc00"]', "has a name that holds half of a surrogate pair"],
    ["a name with a space", { "two words": 1n }, '["two words"]', "is a bigint"],
    ["an object within itself", itself, ".list[1].again", "is a cycle: it contains itself"],
    ["too deep a value", nested(MAX_DEPTH + 1), ".inner".repeat(MAX_DEPTH), `is nested deeper than ${MAX_DEPTH}`],
  ];

  test.each(cases)("%s", (_, value, path, message) => {
    expect(jsonProblem(value)).toEqual({ path, message });
  });
});

test("an array that says how it is written is refused", () => {
  const list = Object.assign([1], { toJSON: () => "one" });

  expect(jsonProblem({ list })).toEqual({ path: ".list", message: "has a toJSON of its own" });
});

test("what JSON holds is taken as it is, in a copy", () => {
  const value = { text: "příjem 💶", n: -1.5e300, yes: true, none: null, list: [[], {}], deep: nested(MAX_DEPTH - 1) };

  const stored = asStored(value, "invalid-event", "data");

  expect(stored).toStrictEqual(value);
  expect(stored.list[1]).not.toBe(value.list[1]);
});

test("an object without a prototype and one of another realm are plain", async () => {
  const { runInNewContext } = await import("node:vm");
  const foreign: unknown = runInNewContext("({ list: [{ a: 1 }] })");

  expect(jsonProblem(Object.assign(Object.create(null), { a: 1 }))).toBeUndefined();
  expect(jsonProblem(foreign)).toBeUndefined();
});

test("properties that are undefined are dropped, at any depth, from a copy", () => {
  const value = { a: undefined, list: [{ b: undefined, c: 1 }] };

  const stored = asStored(value, "invalid-event", "data");

  expect(Object.keys(stored)).toEqual(["list"]);
  expect(Object.keys(stored.list[0] as object)).toEqual(["c"]);
  expect(Object.keys(value)).toEqual(["a", "list"]);
});

test("minus zero becomes zero, as it does in storage", () => {
  expect(Object.is(asStored({ n: -0 }, "invalid-event", "data").n, 0)).toBe(true);
});

test("a problem in an event has its path from the event", () => {
  const error = thrownBy(() => checkJson({ items: [new Date(0)] }, "invalid-event", "data"));

  expect(error.code).toBe("invalid-event");
  expect(error.details).toEqual({ path: "data.items[0]" });
  expect(error.message).toBe("data.items[0] is a Date, not a plain object");
});

test("a problem in a command names the argument and the path inside it", () => {
  const error = thrownBy(() => checkJson({ data: { n: Number.NaN } }, "invalid-argument", "command"));

  expect(error.code).toBe("invalid-argument");
  expect(error.details).toEqual({ argument: "command", path: "data.n" });
  expect(error.message).toBe("command.data.n is NaN");
});

test("undefined is no value to store", () => {
  expect(thrownBy(() => checkJson(undefined, "invalid-argument", "command")).message).toBe("command is undefined");
});

test("a name added to Object.prototype does not spoil every object", () => {
  const polluted = Object.prototype as unknown as Record<string, unknown>;
  polluted["legacy"] = () => {};
  try {
    expect(jsonProblem({ a: 1 })).toBeUndefined();
  } finally {
    delete polluted["legacy"];
  }
});

test("law: whatever JSON holds is accepted and comes back equal", () => {
  fc.assert(
    fc.property(fc.jsonValue({ noUnicodeString: false }), (value) => {
      fc.pre(jsonProblem(value) === undefined);
      expect(JSON.parse(JSON.stringify(value))).toEqual(asStored(value, "invalid-event", "data"));
    }),
  );
});

test("law: what is accepted reads back as what asStored gives", () => {
  fc.assert(
    fc.property(fc.anything({ withDate: true, withMap: true, withBigInt: true, withSparseArray: true }), (value) => {
      fc.pre(value !== undefined && jsonProblem(value) === undefined);
      const stored = asStored(value, "invalid-event", "data");
      expect(JSON.parse(JSON.stringify(stored))).toStrictEqual(JSON.parse(JSON.stringify(value)));
      expect(structuredClone(stored)).toStrictEqual(structuredClone(JSON.parse(JSON.stringify(value))));
    }),
    { numRuns: 500 },
  );
});

describe("deepFreeze", () => {
  test("freezes plain objects and arrays all the way down", () => {
    const state = deepFreeze({ list: [{ a: { b: 1 } }] });

    expect(Object.isFrozen(state.list[0]?.a)).toBe(true);
  });

  test("stops at what is frozen and leaves other objects alone", () => {
    const inner = { a: 1 };
    const shared = Object.freeze({ inner });
    const date = new Date(0);

    deepFreeze({ shared, date, bytes: new Uint8Array(2) });

    expect(Object.isFrozen(inner)).toBe(false);
    expect(Object.isFrozen(date)).toBe(false);
  });

  test("ends on a cycle", () => {
    const node: { next?: object } = {};
    node.next = node;

    expect(Object.isFrozen(deepFreeze(node))).toBe(true);
  });
});
