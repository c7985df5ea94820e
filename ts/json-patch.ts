/**
 * What changed between two JSON values, as a JSON Patch (RFC 6902).
 *
 * For people who look for the event that made a state wrong: short where values are much alike, and
 * never costly. Lists are compared from both ends, so that one item more or less is one operation
 * wherever it stands; what lies between is compared place by place, which is linear where the shortest
 * patch of all would be quadratic. Parts that are one and the same object, as an `evolve` that spreads
 * leaves them, are not entered.
 */
import { isPlain } from "./json.js";

/** One step of a {@link JsonPatch}. `path` is a JSON Pointer (RFC 6901): `/items/0/name`, empty for the whole. */
export type JsonPatchOperation =
  | { readonly op: "add" | "replace"; readonly path: string; readonly value: unknown }
  | { readonly op: "remove"; readonly path: string };

/** Operations that lead from one value to another, in the order in which they apply. */
export type JsonPatch = readonly JsonPatchOperation[];

/**
 * The patch that makes `after` of `before`; empty if they are equal as JSON, where the order of names
 * and properties that are `undefined` do not count. What is not JSON (a Map, a Date) is replaced as a
 * whole unless it is the same object.
 */
export function jsonPatch(before: unknown, after: unknown): JsonPatch {
  const patch: JsonPatchOperation[] = [];
  compare(before, after, "", patch);
  return patch;
}

function compare(before: unknown, after: unknown, path: string, patch: JsonPatchOperation[]): void {
  if (same(before, after)) {
    return;
  }
  if (Array.isArray(before) && Array.isArray(after)) {
    compareLists(before, after, path, patch);
  } else if (isPlain(before) && isPlain(after)) {
    for (const name of namesOf(before)) {
      if (has(after, name)) {
        compare(before[name], after[name], pathOf(path, name), patch);
      } else {
        patch.push({ op: "remove", path: pathOf(path, name) });
      }
    }
    for (const name of namesOf(after)) {
      if (!has(before, name)) {
        patch.push({ op: "add", path: pathOf(path, name), value: after[name] });
      }
    }
  } else {
    patch.push({ op: "replace", path, value: after });
  }
}

function compareLists(
  before: readonly unknown[],
  after: readonly unknown[],
  path: string,
  patch: JsonPatchOperation[],
): void {
  const shorter = Math.min(before.length, after.length);
  let start = 0;
  while (start < shorter && equal(before[start], after[start])) {
    start++;
  }
  let left = 0;
  while (left < shorter - start && equal(before.at(-1 - left), after.at(-1 - left))) {
    left++;
  }
  const [beforeEnd, afterEnd] = [before.length - left, after.length - left];
  const both = Math.min(beforeEnd, afterEnd);
  for (let index = start; index < both; index++) {
    compare(before[index], after[index], `${path}/${index}`, patch);
  }
  // From the back, so that every index is still the one of `before`.
  for (let index = beforeEnd - 1; index >= both; index--) {
    patch.push({ op: "remove", path: `${path}/${index}` });
  }
  for (let index = both; index < afterEnd; index++) {
    patch.push({ op: "add", path: `${path}/${index}`, value: after[index] });
  }
}

function equal(before: unknown, after: unknown): boolean {
  if (same(before, after)) {
    return true;
  }
  if (Array.isArray(before) && Array.isArray(after)) {
    return before.length === after.length && before.every((item, index) => equal(item, after[index]));
  }
  if (!isPlain(before) || !isPlain(after)) {
    return false;
  }
  const names = namesOf(before);
  return (
    names.length === namesOf(after).length &&
    names.every((name) => has(after, name) && equal(before[name], after[name]))
  );
}

function same(before: unknown, after: unknown): boolean {
  return before === after || Object.is(before, after);
}

type Names = Readonly<Record<string, unknown>>;

/** The names that JSON keeps. */
function namesOf(object: Names): string[] {
  return Object.keys(object).filter((name) => object[name] !== undefined);
}

function has(object: Names, name: string): boolean {
  return Object.hasOwn(object, name) && object[name] !== undefined;
}

function pathOf(parent: string, name: string): string {
  return `${parent}/${name.replaceAll("~", "~0").replaceAll("/", "~1")}`;
}
