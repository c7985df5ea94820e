/**
 * The option `sync` of `openStore`, checked.
 */
import { invalidArgument } from "../errors.js";
import { checkId } from "../stream-id.js";
import type { SyncOptions } from "../types.js";

/** `SyncOptions` with the defaults filled in. */
export interface CheckedSync {
  readonly url: string;
  readonly space: string;
  readonly subject: string;
  readonly token: SyncOptions["token"];
  readonly live: boolean;
  readonly batchSize: number;
  readonly adopt: "empty" | "rebase" | null;
  readonly recover: "auto" | "ask" | "discard";
  readonly onRefused: SyncOptions["onRefused"];
}

/** But for those that an address takes for a folder above. */
const spaceName = /^(?!\.\.?$)[A-Za-z0-9._-]{1,128}$/;
/** What a server takes in one push at most. */
const mostCommits = 2_000;

/** Throws `invalid-argument`. */
export function checkSync(options: SyncOptions): CheckedSync {
  if (typeof options !== "object" || options === null) {
    throw invalidArgument("sync", "sync must be { url, space, subject, token } or left out");
  }
  const { space, token, live = true, batchSize = 500, adopt, recover = "ask", onRefused } = options;
  if (typeof space !== "string" || !spaceName.test(space)) {
    throw invalid("space", "must be 1 to 128 of the characters A-Z a-z 0-9 . _ -, and not . or ..");
  }
  if (typeof token !== "function") {
    throw invalid("token", "must be a function that returns a token");
  }
  if (typeof live !== "boolean") {
    throw invalid("live", "must be true or false");
  }
  if (!Number.isSafeInteger(batchSize) || batchSize < 1 || batchSize > mostCommits) {
    throw invalid("batchSize", `is ${String(batchSize)}, must be a whole number from 1 to ${mostCommits}`);
  }
  oneOf("adopt", adopt, ["empty", "rebase", undefined]);
  oneOf("recover", recover, ["auto", "ask", "discard"]);
  if (onRefused !== undefined && typeof onRefused !== "function") {
    throw invalid("onRefused", "must be a function");
  }
  return {
    url: checkUrl(options.url),
    space,
    subject: checkId(options.subject, "sync.subject"),
    token,
    live,
    batchSize,
    adopt: adopt ?? null,
    recover,
    onRefused,
  };
}

/** Whether two stores of one name may share an engine. */
export function isSameSync(one: CheckedSync | undefined, other: CheckedSync | undefined): boolean {
  return one?.url === other?.url && one?.space === other?.space && one?.subject === other?.subject;
}

/** Of the server, as an absolute address; a path is one of the page's own server. */
function checkUrl(url: unknown): string {
  try {
    const absolute = new URL(String(url), typeof location === "undefined" ? undefined : location.href);
    // In a page there is an address for anything, `undefined` among it.
    if (/^https?:$/.test(absolute.protocol) && (typeof url === "string" || url instanceof URL)) {
      return absolute.href;
    }
  } catch {
    // Said below.
  }
  throw invalid("url", `is ${JSON.stringify(String(url))}, must be the http or https address of a server`);
}

function oneOf(name: string, value: unknown, allowed: readonly unknown[]): void {
  if (!allowed.includes(value)) {
    throw invalid(name, `is ${String(value)}, must be ${allowed.filter(Boolean).map(String).join(", ")} or left out`);
  }
}

function invalid(name: string, problem: string) {
  return invalidArgument("sync", `sync.${name} ${problem}`, name);
}
