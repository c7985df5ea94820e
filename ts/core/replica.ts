/**
 * The state machine of sync, as the core has it: what it is told, and what it wants done. docs/sync.md.
 */

/** What the state machine of sync is told: docs/sync.md. Times are milliseconds. */
export type SyncInput =
  | {
      readonly input: "start";
      readonly pending: number;
      readonly rebase: boolean;
      readonly bound: boolean;
      readonly live: boolean;
      readonly batch?: number;
    }
  | { readonly input: "leading" | "online" | "visible"; readonly on: boolean }
  | { readonly input: "committed"; readonly pending: number }
  | { readonly input: "token"; readonly ok: boolean }
  | { readonly input: "heard"; readonly request: number }
  | {
      readonly input: "applied";
      readonly request: number;
      readonly pending: number;
      readonly rebase: boolean;
      readonly more: boolean;
      readonly stopped: boolean;
      readonly moved: boolean;
    }
  | {
      readonly input: "failed";
      readonly request: number;
      readonly status: number;
      readonly problem?: string | null;
      readonly retryAfter?: number | null;
    }
  | { readonly input: "tail"; readonly request: number; readonly event: "opened" | "closed" }
  | {
      readonly input: "tail";
      readonly request: number;
      readonly event: "applied";
      readonly pending: number;
      readonly rebase: boolean;
    }
  | { readonly input: "rebased"; readonly pending: number; readonly blocked: number; readonly rebase: boolean }
  | { readonly input: "recovered"; readonly pending: number; readonly rebase: boolean }
  | { readonly input: "stuck"; readonly code: string }
  | { readonly input: "now" | "pause" | "resume" | "tick" };

/** What it wants done. */
export type SyncOutput =
  | {
      readonly output: "send";
      readonly request: number;
      readonly kind: "capabilities" | "push" | "pull" | "tail";
      readonly maxCommits: number;
      readonly maxBytes: number;
    }
  | { readonly output: "cancel"; readonly request: number }
  | { readonly output: "token"; readonly refresh: boolean }
  | { readonly output: "rebase" }
  /** `request` is the one that was answered with `epoch-changed`. */
  | { readonly output: "recover"; readonly request: number }
  /** Give a `tick` at this time, in place of any told before. */
  | { readonly output: "wake"; readonly at: number }
  | {
      readonly output: "status";
      readonly state: "off" | "connecting" | "idle" | "pushing" | "pulling" | "offline" | "blocked";
      readonly blockedBy?: string;
      readonly lastError?: string;
      readonly lastContact?: number;
    };

/** What knows what sync does next. */
export interface CoreReplica {
  /** What sync does next: a `SyncInput` in, `SyncOutput[]` out. */
  replica(input: string, now: number, random: number): Promise<string>;
}
