import fc from "fast-check";
import { expect, test } from "vitest";
import { canonicalText } from "../../ts/canonical.js";

const json = fc.jsonValue({ maxDepth: 4 });

/** The plainest way. */
function plain(value: unknown): string {
  if (typeof value !== "object" || value === null) {
    return JSON.stringify(value);
  }
  if (Array.isArray(value)) {
    return `[${value.map(plain).join(",")}]`;
  }
  const names = Object.keys(value).sort();
  return `{${names.map((name) => `${JSON.stringify(name)}:${plain((value as Record<string, unknown>)[name])}`).join(",")}}`;
}

test("a canonical text is JSON with its names in order, whatever the names", () => {
  fc.assert(fc.property(json, (value) => canonicalText(value) === plain(value)));
});

test("names like numbers and names with a meaning in JavaScript are names like others", () => {
  const value = JSON.parse('{"b":1,"10":2,"9":{"__proto__":3,"a":[{"1":0,"0":1}]},"__proto__":{"x":1}}');

  expect(canonicalText(value)).toBe(plain(value));
});

test("properties that are undefined are not there, and there is one zero", () => {
  expect(canonicalText({ b: undefined, a: -0, c: [{ d: undefined }] })).toBe('{"a":0,"c":[{}]}');
  expect(canonicalText({ 1: undefined, 2: -0 })).toBe('{"2":0}');
});
