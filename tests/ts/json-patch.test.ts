/**
 * JSON patches: what they say, and that they always lead from the one value to the other.
 */
import fc from "fast-check";
import { applyPatch, type Operation } from "rfc6902";
import { expect, test } from "vitest";
import { jsonPatch } from "../../ts/json-patch.js";

test.each([
  ["nothing", { a: [1, { b: 2 }] }, { a: [1, { b: 2 }] }, []],
  ["nothing, though names stand in another order", { a: 1, b: 2 }, { b: 2, a: 1 }, []],
  ["a name more", { a: 1 }, { a: 1, b: { c: 2 } }, [{ op: "add", path: "/b", value: { c: 2 } }]],
  ["a name less", { a: 1, b: 2 }, { a: 1 }, [{ op: "remove", path: "/b" }]],
  ["a value deep inside", { a: { b: [0, 1] } }, { a: { b: [0, 2] } }, [{ op: "replace", path: "/a/b/1", value: 2 }]],
  ["another kind of value", { a: [] }, { a: {} }, [{ op: "replace", path: "/a", value: {} }]],
  ["the whole", 1, { a: 1 }, [{ op: "replace", path: "", value: { a: 1 } }]],
  ["null", { a: null }, { a: 0 }, [{ op: "replace", path: "/a", value: 0 }]],
  ["one item at the end", [1, 2], [1, 2, 3], [{ op: "add", path: "/2", value: 3 }]],
  ["one item at the start", [1, 2], [0, 1, 2], [{ op: "add", path: "/0", value: 0 }]],
  ["one item less in the middle", [{ a: 1 }, { a: 2 }, { a: 3 }], [{ a: 1 }, { a: 3 }], [{ op: "remove", path: "/1" }]],
  [
    "several items less",
    [1, 2, 3, 4],
    [1],
    [
      { op: "remove", path: "/3" },
      { op: "remove", path: "/2" },
      { op: "remove", path: "/1" },
    ],
  ],
  ["one of equal items", [1, 1, 1], [1, 1], [{ op: "remove", path: "/2" }]],
  ["a name that a pointer escapes", { "a/b~1": 1 }, { "a/b~1": 2 }, [{ op: "replace", path: "/a~1b~01", value: 2 }]],
  ["an empty name", { "": 1 }, {}, [{ op: "remove", path: "/" }]],
  ["a name that every object has", {}, { toString: 1 }, [{ op: "add", path: "/toString", value: 1 }]],
  [
    "a property that is undefined, which JSON leaves out",
    { a: 1, b: undefined },
    { a: undefined, b: 1 },
    [
      { op: "remove", path: "/a" },
      { op: "add", path: "/b", value: 1 },
    ],
  ],
  ["zero below nothing, which JSON does not know", { a: 0 }, { a: -0 }, []],
])("a patch tells of %s", (_, before, after, patch) => {
  expect(jsonPatch(before, after)).toEqual(patch);
});

test("what is not JSON is replaced as a whole, unless it is the same object", () => {
  const [one, other] = [new Map([["a", 1]]), new Map([["a", 1]])];

  expect(jsonPatch({ map: one }, { map: one })).toEqual([]);
  expect(jsonPatch({ map: one }, { map: other })).toEqual([{ op: "replace", path: "/map", value: other }]);
});

test("lists in lists cost no more the deeper they are", () => {
  const nested = (inner: unknown) => Array.from({ length: 100 }).reduce<unknown>((value) => [value], inner);

  expect(jsonPatch(nested(1), nested(2))).toEqual([{ op: "replace", path: "/0".repeat(100), value: 2 }]);
});

// The library that applies them refuses, rightly, to walk through the prototypes of objects.
const name = fc.string({ maxLength: 2 }).filter((text) => text !== "__proto__");
const { json } = fc.letrec((tie) => ({
  leaf: fc.oneof(fc.constant(null), fc.boolean(), fc.integer({ min: -1, max: 2 }), fc.string({ maxLength: 2 })),
  list: fc.array(tie("json"), { maxLength: 5 }),
  object: fc.dictionary(name, tie("json"), { maxKeys: 4 }),
  json: fc.oneof({ maxDepth: 4, depthSize: "large" }, tie("leaf"), tie("list"), tie("object")),
}));

test("law: the patch between any two values leads from the one to the other", () => {
  fc.assert(
    fc.property(json, json, (before, after) => {
      expectToLead(before, after);
    }),
    { numRuns: 2_000 },
  );
});

test("law: it does so between values that are much alike", () => {
  fc.assert(
    fc.property(
      fc.array(json, { maxLength: 8 }),
      fc.nat(),
      fc.nat(2),
      fc.array(json, { maxLength: 2 }),
      (list, at, gone, come) => {
        expectToLead({ list }, { list: list.toSpliced(at % (list.length + 1), gone, ...come) });
      },
    ),
    { numRuns: 2_000 },
  );
});

test("law: values that are equal have an empty patch, and others have none", () => {
  fc.assert(
    fc.property(json, json, (one, other) => {
      expect(jsonPatch(one, structuredClone(one))).toEqual([]);
      expect(jsonPatch(one, other).length === 0).toBe(isEqual(one, other));
    }),
    { numRuns: 1_000 },
  );
});

function expectToLead(before: unknown, after: unknown): void {
  const document = { root: structuredClone(before) };
  const patch = jsonPatch(before, after).map((operation) => ({ ...operation, path: `/root${operation.path}` }));

  const problems = applyPatch(document, structuredClone(patch) as Operation[]);

  expect(problems.filter((problem) => problem !== null)).toEqual([]);
  expect(document.root).toEqual(after);
}

function isEqual(one: unknown, other: unknown): boolean {
  try {
    expect(one).toEqual(other);
    return true;
  } catch {
    return false;
  }
}
