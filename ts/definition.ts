/**
 * What every definition is checked for when it is made: its name, its version, its functions.
 */
import { type EverfoldError, invalidArgument } from "./errors.js";
import type { WasmRuntime } from "./wasm.js";

/**
 * What a definition written in Rust has: it becomes one that can be used when a store is opened with the
 * engine that has it.
 */
export const bind = Symbol("everfold.bind");

/** The definition itself, or what it is in `runtime`. Throws `invalid-argument` if it is not there. */
export function bound<D>(definition: D, runtime: WasmRuntime): D {
  return (definition as { readonly [bind]?: (runtime: WasmRuntime) => D })[bind]?.(runtime) ?? definition;
}

/** What a definition is, in messages. */
export type DefinitionKind = "aggregate" | "decision" | "projection";

/** Reports what is wrong with one definition, by its property. */
export function definitionError(
  kind: DefinitionKind,
  name: unknown,
  property: string,
  problem: string,
): EverfoldError<"invalid-argument"> {
  const label = typeof name === "string" ? `${kind} "${name}"` : kind;
  return invalidArgument(property, `${label}: ${property} ${problem}`);
}

/** Checks a definition's name, version and the functions that it must have. */
export function checkDefinition(
  kind: DefinitionKind,
  definition: { readonly name: string; readonly version: number },
  functions: readonly string[],
): void {
  if (typeof definition !== "object" || definition === null) {
    throw invalidArgument("definition", `the definition of a ${kind} is an object`);
  }
  const { name, version } = definition;
  if (typeof name !== "string" || !/^[a-z][a-z0-9_]*$/.test(name) || name.length > 100) {
    throw definitionError(kind, name, "name", "must be [a-z][a-z0-9_]*, at most 100 characters");
  }
  if (!isCount(version)) {
    throw definitionError(kind, name, "version", `is ${String(version)}, must be a whole number from 1`);
  }
  const given = definition as unknown as Readonly<Record<string, unknown>>;
  for (const property of given["isRefusal"] === undefined ? functions : [...functions, "isRefusal"]) {
    if (typeof given[property] !== "function") {
      throw definitionError(kind, name, property, "must be a function");
    }
  }
}

/** Whether it is a whole number from 1 that fits into 32 bits, as the log stores versions of definitions. */
export function isCount(value: unknown): value is number {
  return Number.isInteger(value) && (value as number) >= 1 && (value as number) < 2 ** 32;
}

/** Every throw but those that a bug makes. */
export function isRefusalByDefault(error: unknown): boolean {
  return !(
    error instanceof TypeError ||
    error instanceof ReferenceError ||
    error instanceof RangeError ||
    error instanceof SyntaxError
  );
}
