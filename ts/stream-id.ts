/**
 * The rules of ids, versions and times that callers give.
 *
 * The core checks them again; here they are checked where the argument still has a name.
 */
import { invalidArgument } from "./errors.js";

/** How long an id of any kind may be, as UTF-8. */
export const maxIdBytes = 512;
/** Control characters and, because of the `u` flag, lone surrogates. */
const FORBIDDEN = /[\p{Cc}\p{Cs}]/u;

/** The stream of one aggregate. */
export function streamIdOf(aggregate: string, id: string): string {
  if (typeof id !== "string" || id === "") {
    throw invalidArgument("id", `the id of "${aggregate}" must be a text that is not empty`);
  }
  const streamId = `${aggregate}-${id}`;
  const problem = idProblem(streamId, " with the name before it");
  if (problem !== undefined) {
    throw invalidArgument("id", `id ${problem}`);
  }
  return streamId;
}

/** The name of the aggregate that a stream would belong to: names hold no hyphen. */
export function aggregateNameOf(streamId: string): string {
  const end = streamId.indexOf("-");
  return end < 0 ? "" : streamId.slice(0, end);
}

/** Checks an id of any kind (stream, commit, causation): 1 to 512 bytes of well-formed text without control characters. */
export function checkId(id: unknown, argument: string): string {
  const problem = idProblem(id);
  if (problem !== undefined) {
    throw invalidArgument(argument, `${argument} ${problem}`);
  }
  return id as string;
}

function idProblem(id: unknown, whole = ""): string | undefined {
  if (typeof id !== "string") {
    return `is ${id === null ? "null" : typeof id}, must be a text`;
  }
  if (id === "") {
    return "is empty";
  }
  if (FORBIDDEN.test(id)) {
    return "holds a control character or half of a surrogate pair";
  }
  // No character takes more than 3 bytes for each of its code units.
  if (id.length * 3 > maxIdBytes) {
    const bytes = new TextEncoder().encode(id).length;
    if (bytes > maxIdBytes) {
      return `is ${bytes} bytes long${whole}, at most ${maxIdBytes} are allowed`;
    }
  }
  return undefined;
}

/** Checks a version or position: a whole number from 0, below 2^53. */
export function checkOrdinal(value: unknown, argument: string): number {
  if (!Number.isSafeInteger(value) || (value as number) < 0) {
    throw invalidArgument(argument, `${argument} is ${String(value)}, must be a whole number from 0 and below 2^53`);
  }
  return value as number;
}

/** Checks an `expectedVersion`. */
export function checkExpectedVersion(
  value: unknown,
  argument = "expectedVersion",
): number | "any" | "no-stream" | "stream-exists" {
  if (value === "any" || value === "no-stream" || value === "stream-exists") {
    return value;
  }
  if (typeof value === "string") {
    throw invalidArgument(
      argument,
      `${argument} is "${value}", must be a number, "any", "no-stream" or "stream-exists"`,
    );
  }
  return checkOrdinal(value, argument);
}

/** Checks a time in whole milliseconds since the epoch; it may lie before 1970. */
export function checkTime(value: unknown, argument: string): number {
  if (!Number.isSafeInteger(value)) {
    throw invalidArgument(argument, `${argument} is ${String(value)}, must be whole milliseconds since 1970`);
  }
  return value as number;
}
