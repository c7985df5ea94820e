/**
 * Failures that have no caller: whoever opened the store hears of them.
 */
import { type AnyEverfoldError, EverfoldError, isEverfoldError } from "./errors.js";
import type { Problem } from "./types.js";

/** Takes note of a failure. Never throws. */
export type Report = (problem: Problem) => void;

/** The problem that an error means; undefined for those that only say that the store was closed. */
export function problemOf(thrown: unknown): Problem | undefined {
  if (isEverfoldError(thrown)) {
    const { code, message, details } = thrown;
    return code === "store-closed" ? undefined : { code, message, details: { ...details }, error: thrown };
  }
  const message = thrown instanceof Error ? thrown.message : String(thrown);
  const error = new EverfoldError("wasm-failed", message, { reason: message }, { cause: thrown });
  return { code: error.code, message, details: error.details, error: error as AnyEverfoldError };
}

/** Without `onProblem`: a warning for the first problem of each code. */
export function warnOnceACode(name: string): Report {
  const seen = new Set<string>();
  return (problem) => {
    if (!seen.has(problem.code)) {
      seen.add(problem.code);
      console.warn(`everfold store ${JSON.stringify(name)}: ${problem.code}: ${problem.message}`, problem);
    }
  };
}
