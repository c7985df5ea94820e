/**
 * What may be stored: JSON, strictly.
 *
 * `JSON.stringify` is silent about what it cannot hold: a Date comes back as a text, a Map as `{}`,
 * NaN as null. Here each of them is a problem with its path. Two things are forgiven, because they
 * cannot be told apart afterwards: a property that is `undefined` is dropped, and -0 becomes 0. Names
 * that are symbols are nobody's data and stay out, as in JSON.
 *
 * The walk is on the way of every event, so it allocates nothing while all is well: a path is built
 * only behind a problem, on the way out. Data of 150 bytes takes 0.15 µs, a fifth of what
 * `JSON.stringify` takes for it.
 */
import { EverfoldError, invalidArgument } from "./errors.js";

/** Deeper values are refused; a cycle is found this way too. */
export const MAX_DEPTH = 100;

/** What cannot be stored, and where: `.items[3].at`, empty for the value itself. */
export interface JsonProblem {
  readonly path: string;
  readonly message: string;
}

/** The first thing that JSON cannot hold; undefined if all of it can be stored. */
export function jsonProblem(value: unknown): JsonProblem | undefined {
  const problem = walk(value, 0);
  return problem?.message === TOO_DEEP ? (cycle(value, []) ?? problem) : problem;
}

/**
 * Which error a problem becomes. `root` names the value in its message, `data` or `command`; `where`
 * goes before it, as in `events[2]`.
 */
export type JsonRole = "invalid-event" | "invalid-argument";

/**
 * A copy of the value as it will be read back. The caller may change its own object afterwards, and
 * the copy may be frozen.
 */
export function asStored<T>(value: T, role: JsonRole, root: string, where?: string): T {
  checkJson(value, role, root, where);
  return copy(value) as T;
}

/** The value itself, for who makes it into text at once. */
export function asGiven<T>(value: T, role: JsonRole, root: string, where?: string): T {
  checkJson(value, role, root, where);
  return value;
}

/** Throws for what JSON cannot hold, and for `undefined`. */
export function checkJson(value: unknown, role: JsonRole, root: string, where?: string): void {
  const problem = value === undefined ? bad("is undefined") : jsonProblem(value);
  if (problem !== undefined) {
    throw jsonError(problem, role, root, where);
  }
}

/** Freezes plain objects and arrays, and does not enter what is frozen already: a state shares most of its parts with the one before. */
export function deepFreeze<T>(value: T): T {
  if (typeof value === "object" && value !== null && !Object.isFrozen(value)) {
    if (Array.isArray(value)) {
      Object.freeze(value);
      for (const item of value) {
        deepFreeze(item);
      }
    } else if (isPlain(value)) {
      Object.freeze(value);
      for (const key in value) {
        deepFreeze(value[key]);
      }
    }
  }
  return value;
}

/** What a problem means to the caller. In an event the path begins with `root`, in an argument it is called that. */
export function jsonError(problem: JsonProblem, role: JsonRole, root: string, where = ""): EverfoldError {
  const path = root + problem.path;
  const message = `${where}${where && ": "}${path} ${problem.message}`;
  return role === "invalid-event"
    ? new EverfoldError(role, message, { path })
    : invalidArgument(root, message, problem.path.replace(/^\./, ""));
}

const TOO_DEEP = `is nested deeper than ${MAX_DEPTH}`;

function walk(value: unknown, depth: number): JsonProblem | undefined {
  switch (typeof value) {
    case "string":
      return value.isWellFormed() ? undefined : bad("holds half of a surrogate pair");
    case "number":
      return Number.isFinite(value) ? undefined : bad(`is ${value}`);
    case "boolean":
      return undefined;
    case "object":
      if (value === null) {
        return undefined;
      }
      if (depth === MAX_DEPTH) {
        return bad(TOO_DEEP);
      }
      return Array.isArray(value) ? walkArray(value, depth + 1) : walkObject(value, depth + 1);
    default:
      return bad(`is a ${typeof value}`);
  }
}

function walkArray(array: readonly unknown[], depth: number): JsonProblem | undefined {
  if ((array as { readonly toJSON?: unknown }).toJSON !== undefined) {
    return bad("has a toJSON of its own");
  }
  for (let index = 0; index < array.length; index++) {
    const item = array[index];
    const problem = item === undefined ? bad("is undefined, in an array") : walk(item, depth);
    if (problem !== undefined) {
      return { path: `[${index}]${problem.path}`, message: problem.message };
    }
  }
  return undefined;
}

function walkObject(object: object, depth: number): JsonProblem | undefined {
  if (!isPlain(object)) {
    return bad(`is a ${nameOfClass(object)}, not a plain object`);
  }
  for (const key in object) {
    const value = (object as Record<string, unknown>)[key];
    if (value === undefined) {
      continue;
    }
    const problem = key.isWellFormed() ? walk(value, depth) : bad("has a name that holds half of a surrogate pair");
    // A name that somebody added to Object.prototype is not ours to refuse; JSON leaves it out too.
    if (problem !== undefined && Object.hasOwn(object, key)) {
      const step = /^[\p{L}_$][\p{L}\p{N}_$]*$/u.test(key) ? `.${key}` : `[${JSON.stringify(key)}]`;
      return { path: step + problem.path, message: problem.message };
    }
  }
  return undefined;
}

/** Ten times as fast as a trip through text: spreading an object keeps its shape. */
function copy(value: unknown): unknown {
  if (typeof value !== "object" || value === null) {
    return value === 0 ? 0 : value;
  }
  if (Array.isArray(value)) {
    return Array.from(value, copy);
  }
  const copied: Record<string, unknown> = { ...value };
  for (const key in copied) {
    const inner = copied[key];
    if (inner === undefined) {
      delete copied[key];
    } else if (inner === 0 || typeof inner === "object") {
      copied[key] = copy(inner);
    }
  }
  return copied;
}

/** Made by a literal, `JSON.parse` or `Object.create(null)`, in this realm or another. */
export function isPlain(value: unknown): value is Record<string, unknown> {
  if (typeof value !== "object" || value === null) {
    return false;
  }
  const prototype: object | null = Object.getPrototypeOf(value);
  return (
    prototype === Object.prototype ||
    prototype === null ||
    (Object.getPrototypeOf(prototype) === null && Object.hasOwn(prototype, "hasOwnProperty"))
  );
}

function nameOfClass(object: object): string {
  const name: unknown = object.constructor?.name;
  return typeof name === "string" && name !== "" && name !== "Object" ? name : "class instance";
}

/** Where the value comes back to one of its ancestors. */
function cycle(value: unknown, ancestors: readonly unknown[]): JsonProblem | undefined {
  if (typeof value !== "object" || value === null) {
    return undefined;
  }
  if (ancestors.includes(value)) {
    return bad("is a cycle: it contains itself");
  }
  for (const [key, inner] of Object.entries(value)) {
    const problem = cycle(inner, [...ancestors, value]);
    if (problem !== undefined) {
      const step = Array.isArray(value) ? `[${key}]` : `.${key}`;
      return { path: step + problem.path, message: problem.message };
    }
  }
  return undefined;
}

function bad(message: string): JsonProblem {
  return { path: "", message };
}
