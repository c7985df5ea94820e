/**
 * Asking `decide`, and telling a refusal from a failure.
 */
import type { AnyAggregate } from "./aggregate.js";
import { EverfoldError, isEverfoldError } from "./errors.js";
import type { AnyEvent } from "./event.js";

/** What a definition that decides has in common: an aggregate or a decision. */
interface Decider {
  readonly name: string;
  isRefusal(error: unknown): boolean;
}

/** Who decides on what, for errors. */
export interface DecidedOn {
  readonly decider: Decider;
  readonly streamId?: string;
  readonly commitId: string;
}

/** What a `decide` written in Rust throws when it was not asked: because of the command, or of the engine. */
export class NotDecided {
  constructor(readonly error: EverfoldError) {}
}

/** Runs `decide`. Throws `refused` with its throw as cause, or `decide-failed`. */
export function askToDecide(on: DecidedOn, decide: () => unknown): unknown {
  let decided: unknown;
  try {
    decided = decide();
  } catch (cause) {
    const { decider, streamId, commitId } = on;
    if (cause instanceof NotDecided) {
      throw cause.error;
    }
    const reason = reasonOf(cause);
    if (isEverfoldError(cause) || !isRefusal(decider, cause)) {
      throw decideFailed(on, reason, cause);
    }
    const details = { definition: decider.name, commitId, ...(streamId === undefined ? undefined : { streamId }) };
    throw new EverfoldError("refused", reason, details, { cause });
  }
  if (decided instanceof Promise) {
    // Nobody else will look at how it ends.
    decided.catch(() => undefined);
    throw decideFailed(on, "decide returned a promise: it must answer at once");
  }
  return decided;
}

/** The events that `decide` of an aggregate returned: one, or a list. */
export function eventsDecided(on: DecidedOn, decided: unknown): readonly AnyEvent[] {
  const events: readonly unknown[] = Array.isArray(decided) ? decided : [decided];
  for (const event of events) {
    if (typeof event !== "object" || event === null || typeof (event as AnyEvent).type !== "string") {
      throw decideFailed(on, "decide must return an event, { type, data }, or a list of events");
    }
  }
  return events as readonly AnyEvent[];
}

/** The lists of events that `decide` of a decision returned: one for each aggregate read. */
export function listsDecided(
  on: DecidedOn,
  decided: unknown,
  reads: readonly { readonly aggregate: AnyAggregate }[],
): readonly (readonly AnyEvent[])[] {
  if (!Array.isArray(decided) || decided.length !== reads.length || !decided.every(Array.isArray)) {
    throw decideFailed(on, `decide must return ${reads.length} lists of events, one for each aggregate read`);
  }
  return decided.map((list: unknown[]) => eventsDecided(on, list));
}

/** What `decide` did wrong. */
export function decideFailed(on: DecidedOn, reason: string, cause?: unknown): EverfoldError<"decide-failed"> {
  const { decider, streamId } = on;
  const details = { definition: decider.name, ...(streamId === undefined ? undefined : { streamId }) };
  return new EverfoldError("decide-failed", `${decider.name}: ${reason}`, details, { cause });
}

/** A refusal need not be an error: it may be anything. */
function reasonOf(cause: unknown): string {
  if (cause instanceof Error) {
    return cause.message;
  }
  try {
    return typeof cause === "object" && cause !== null ? JSON.stringify(cause) : String(cause);
  } catch {
    return "what was thrown is no JSON";
  }
}

function isRefusal(decider: Decider, cause: unknown): boolean {
  try {
    return decider.isRefusal(cause);
  } catch {
    return false;
  }
}
