/**
 * The one error class.
 *
 * Callers test `code`, never the class: two copies of the package in one page must understand each
 * other, so the class is recognised by a registered symbol. Messages are lowercase fragments with the
 * facts in them, and say what to do next.
 */
import type { CoreError } from "./core/error.js";
import type { ExpectedVersion } from "./core/writing.js";

const brand = Symbol.for("everfold.error");

/** Where a stored event is, for errors about one. */
export interface EventPlace {
  readonly eventId: string;
  readonly streamId: string;
  readonly version: number;
  readonly position: number;
  readonly type: string;
}

/** What each code's `details` hold. A code's own details may grow in any release. */
export interface ErrorDetails {
  /** Someone else wrote first. Read again, then decide again. */
  conflict: {
    readonly streamId: string;
    readonly expected: ExpectedVersion;
    readonly actual: number;
  };
  /** `decide` said no; `cause` is what it threw. */
  refused: { readonly definition: string; readonly streamId?: string; readonly commitId?: string };
  /** `decide` failed by a bug, or returned what is not a list of events. */
  "decide-failed": { readonly definition: string; readonly streamId?: string };
  "evolve-failed": { readonly definition: string } & Partial<EventPlace>;
  "upcast-failed": EventPlace & { readonly schemaVersion: number };
  /** `argument` names it; `path` leads into it, as in `data.items[3].at` for the argument `command`. */
  "invalid-argument": { readonly argument: string; readonly path?: string };
  /** `path` leads into the event, as in `data.items[3].at`; absent if the commit as a whole is too large. */
  "invalid-event": {
    readonly path?: string;
    readonly type?: string;
    readonly streamId?: string;
    /** What a schema said. */
    readonly issues?: readonly { readonly message: string; readonly path: string }[];
  };
  /** The id belongs to a commit with other content. */
  "commit-id-reused": { readonly commitId: string };
  "quota-exceeded": { readonly usage?: number; readonly quota?: number };
  "storage-unavailable": { readonly reason?: string };
  /** The damaged record; everything else stays readable. */
  "storage-corrupt": { readonly record: string };
  "storage-newer": { readonly record?: string };
  /** The log holds events, or the store projections, newer than this app's definitions. */
  "app-outdated": Partial<EventPlace> & {
    readonly definition?: string;
    readonly found?: number;
    readonly known?: number;
    readonly record?: string;
  };
  archived: { readonly streamId?: string };
  "store-blocked": { readonly name?: string };
  /**
   * By `close`, by another tab that deletes the store, or by the browser: then whether a call under way has written is not
   * known, as with `wasm-failed`.
   */
  "store-closed": { readonly name?: string; readonly reason?: string };
  "pending-work": { readonly pending: number };
  "snapshot-mismatch": { readonly streamId: string; readonly version: number };
  /** The event that the projection stopped at. */
  "projection-failed": { readonly projection: string } & Partial<EventPlace>;
  "rebuild-running": { readonly projection: string };
  "rebuild-failed": { readonly projection: string; readonly partition?: string };
  aborted: { readonly reason?: string };
  /**
   * The engine stopped; it is started afresh from storage, or the store says that it is dead. Whether a call under way
   * has written is not known: the same call with the same `commitId` takes effect once.
   */
  "wasm-failed": { readonly reason?: string };
  "sync-unauthorized": { readonly reason?: string };
  "sync-forbidden": { readonly reason?: string };
  "sync-protocol": { readonly reason?: string };
  "sync-unavailable": { readonly reason?: string };
  "sync-diverged": { readonly reason?: string };
}

/** What failed, for programs. */
export type EverfoldErrorCode = keyof ErrorDetails;

/** Every failure of this package. `cause` is what the user's function or the platform threw. */
export class EverfoldError<C extends EverfoldErrorCode = EverfoldErrorCode> extends Error {
  readonly code: C;
  readonly details: Readonly<ErrorDetails[C]>;

  constructor(code: C, message: string, details: ErrorDetails[C], options?: ErrorOptions) {
    super(message, options);
    this.code = code;
    this.details = details;
  }

  static {
    // On the prototype: an error then prints its code, message, details and cause, and nothing else.
    Object.defineProperty(EverfoldError.prototype, "name", { value: "EverfoldError" });
    Object.defineProperty(EverfoldError.prototype, brand, { value: true });
  }
}

/** An error of unknown code: testing `code` narrows `details`. */
export type AnyEverfoldError = { [C in EverfoldErrorCode]: EverfoldError<C> }[EverfoldErrorCode];

/** Whether this is an error of this package, and of this code if one is given. Holds across copies of the package. */
export function isEverfoldError(error: unknown): error is AnyEverfoldError;
export function isEverfoldError<C extends EverfoldErrorCode>(error: unknown, code: C): error is EverfoldError<C>;
export function isEverfoldError(error: unknown, code?: EverfoldErrorCode): boolean {
  return (
    typeof error === "object" &&
    error !== null &&
    brand in error &&
    (code === undefined || (error as { code?: unknown }).code === code)
  );
}

/** An error about a call's argument, named as the caller knows it. */
export function invalidArgument(argument: string, message: string, path?: string): EverfoldError<"invalid-argument"> {
  return new EverfoldError("invalid-argument", message, path === undefined ? { argument } : { argument, path });
}

/** Checks that options, or a query, are an object, and that a signal among them can end a call. */
export function checkOptions<T extends object>(options: T, argument = "options"): T {
  if (typeof options !== "object" || options === null) {
    throw invalidArgument(argument, `${argument} is ${String(options)}, must be an object`);
  }
  const { signal } = options as { readonly signal?: AbortSignal };
  if (signal && typeof signal.aborted !== "boolean") {
    throw invalidArgument("signal", "signal must be an AbortSignal, as the `signal` of an AbortController");
  }
  return options;
}

/** Checks functions, by their names, that may be left out. */
export function checkFunctions(functions: Readonly<Record<string, unknown>>): void {
  for (const [name, value] of Object.entries(functions)) {
    if (value !== undefined && typeof value !== "function") {
      throw invalidArgument(name, `${name} must be a function`);
    }
  }
}

/**
 * Turns what the core rejected with into our error; `details` adds what its caller knows. Anything
 * else than a `CoreError` means that the instance is dead.
 */
export function errorFromCore(thrown: unknown, details?: object): EverfoldError {
  if (isEverfoldError(thrown)) {
    return thrown as EverfoldError;
  }
  if (isCoreError(thrown)) {
    // The core names its codes and details as `ErrorDetails` does; this is the border where that is trusted.
    return new EverfoldError(
      thrown.code as EverfoldErrorCode,
      thrown.message,
      { ...thrown.details, ...details } as ErrorDetails[EverfoldErrorCode],
      { cause: thrown },
    );
  }
  const reason = thrown instanceof Error ? thrown.message : String(thrown);
  return new EverfoldError("wasm-failed", `the engine stopped: ${reason}`, { reason }, { cause: thrown });
}

function isCoreError(thrown: unknown): thrown is CoreError {
  return (
    typeof thrown === "object" &&
    thrown !== null &&
    !(thrown instanceof Error) &&
    typeof (thrown as CoreError).code === "string" &&
    typeof (thrown as CoreError).message === "string"
  );
}
