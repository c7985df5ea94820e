/**
 * What an app is told of sync, and errors as they go from tab to tab.
 */
import { type AnyEverfoldError, EverfoldError, type EverfoldErrorCode } from "../errors.js";
import type { SyncStatus } from "../types.js";

/** A store without sync, or one that has not begun. */
export const syncOff: SyncStatus = Object.freeze({
  state: "off",
  pending: 0,
  oldestPendingMs: null,
  lastContact: null,
  blockedBy: null,
  confirmedPosition: 0,
  commits: 0,
  hash: null,
  lastError: null,
  leader: false,
  progress: null,
});

/** The part of the status that the leader knows. */
export type LeaderStatus = Pick<SyncStatus, "state" | "lastContact" | "blockedBy" | "lastError" | "progress">;

/** An error on its way to another tab: a class does not survive that. */
export interface PlainError {
  readonly code: EverfoldErrorCode;
  readonly message: string;
  readonly details: object;
}

export function plainError(error: AnyEverfoldError | null): PlainError | null {
  return error && { code: error.code, message: error.message, details: { ...error.details } };
}

export function errorOf(plain: PlainError | null): AnyEverfoldError | null {
  return plain && (new EverfoldError(plain.code, plain.message, plain.details as never) as AnyEverfoldError);
}
