/**
 * The options of a commit, checked, and what of them is the commit's content.
 */
import { checkMetadata } from "./new-event.js";
import { checkId, checkTime } from "./stream-id.js";
import type { CommitOptions } from "./types.js";

/** Options of a commit after the checks. */
export interface CheckedOptions {
  readonly commitId: string;
  /** Whether the caller gave the id. */
  readonly known: boolean;
  readonly occurredAt: number | undefined;
  readonly metadata: Readonly<Record<string, unknown>> | undefined;
  /** Spread into the commit: absent where not given. */
  readonly ids: { readonly causationId?: string; readonly correlationId?: string };
  /** What the caller gave, for `content`: `undefined` where it was left out. */
  readonly given: Readonly<Record<string, unknown>>;
}

/** Checks what every commit takes. Throws `invalid-argument` or `invalid-event`. */
export function checkCommitOptions(options: CommitOptions, newId: () => string): CheckedOptions {
  const { commitId, occurredAt, causationId, correlationId } = options;
  const metadata = checkMetadata(options.metadata, "");
  return {
    commitId: commitId === undefined ? newId() : checkId(commitId, "commitId"),
    known: commitId !== undefined,
    occurredAt: occurredAt === undefined ? undefined : checkTime(occurredAt, "occurredAt"),
    metadata,
    ids: {
      ...(causationId === undefined ? undefined : { causationId: checkId(causationId, "causationId") }),
      ...(correlationId === undefined ? undefined : { correlationId: checkId(correlationId, "correlationId") }),
    },
    given: { metadata, occurredAt, causationId, correlationId },
  };
}
