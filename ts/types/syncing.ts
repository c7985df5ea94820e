/**
 * Sync as an app sees it: its options, where it stands, and what may be said to it.
 */
import type { AnyEverfoldError } from "../errors.js";
import type { Abortable } from "./opening.js";
import type { Refusal } from "./refusals.js";
import type { AnyStore } from "./store.js";
import type { Live } from "./views.js";

/**
 * With which server a store is kept in sync, and as whom.
 *
 * ```ts
 * const store = await openStore({
 *   name: "ledger",
 *   aggregates: [account],
 *   sync: { url: "https://sync.example.com", space: "acme", subject: "ann", token: () => signIn() },
 * });
 * const receipt = await store.execute(account, "1", deposit(5)); // on this device: at once, offline too
 * const { changed } = await receipt.confirmed(); // the server has it
 * ```
 */
export interface SyncOptions {
  /** Address of the server; below it are `/v1/spaces/…`. */
  readonly url: string | URL;
  /** The log that is shared: 1 to 128 of `A-Z a-z 0-9 . _ -`, not `.` or `..`. A store belongs to one space for ever. */
  readonly space: string;
  /** Who works here. What is pending is pushed with a token of whom wrote it, never of another. */
  readonly subject: string;
  /**
   * Gives the token that the server asks for; asked again, with `refresh`, when the server did not take the last one.
   * If it throws, sync pauses and keeps everything.
   */
  readonly token: (why: { readonly refresh: boolean; readonly signal: AbortSignal }) => string | Promise<string>;
  /** Whether to hear of others' commits as they come. True if left out; else when something is pushed, and by `now`. */
  readonly live?: boolean | undefined;
  /** Commits in one push, 500 if left out. */
  readonly batchSize?: number | undefined;
  /**
   * What becomes of a history that was made before there was sync: `"empty"` uploads it into a space that has none;
   * `"rebase"` puts it, as facts, on top of what the space has. Without it, a history on both sides is `sync-diverged`.
   */
  readonly adopt?: "empty" | "rebase" | undefined;
  /**
   * What becomes of others' commits that a restored server has lost: `"ask"`, the default, keeps them as refusals of kind
   * `orphaned`, `"auto"` offers them to the server again, `"discard"` keeps none.
   */
  readonly recover?: "auto" | "ask" | "discard" | undefined;
  /**
   * Called, in the tab that leads, with what was refused in a merge or by the server: to execute a compensating
   * command. Called for each refusal until it has resolved once: if the tab is closed before, or it throws, which goes to
   * `onProblem`, it is called again when a tab begins to lead. So give the command an id made of `refusal.commitId`: then
   * it takes effect once. The refusal stays in `store.refusals` until it is dismissed.
   */
  readonly onRefused?: ((refusal: Refusal, store: AnyStore) => void | Promise<void>) | undefined;
}

/** Where sync stands. */
export interface SyncStatus {
  /** `"off"` in a store without sync. */
  readonly state: "off" | "connecting" | "idle" | "pushing" | "pulling" | "offline" | "blocked";
  /** Commits that the server has not confirmed. */
  readonly pending: number;
  /** How long the first of them has waited. */
  readonly oldestPendingMs: number | null;
  /** When the server last answered. */
  readonly lastContact: number | null;
  /** What has to be done before it goes on; null while it goes on by itself. */
  readonly blockedBy: AnyEverfoldError | null;
  readonly confirmedPosition: number;
  /** Confirmed commits of the space that are here, in the server's count. */
  readonly commits: number;
  /** Of the log up to there: who has the same at the same count has the same log. Null before the first contact. */
  readonly hash: string | null;
  /** What went wrong last, since the last success. */
  readonly lastError: AnyEverfoldError | null;
  /** Whether this tab is the one that talks to the server. */
  readonly leader: boolean;
  /** How far a long push or pull is, in commits; null when there is none. `total` is null as long as nobody knows. */
  readonly progress: { readonly done: number; readonly total: number | null } | null;
}

/** Sync under the app's control. It runs by itself; nothing here has to be called. */
export interface SyncControl {
  status(): SyncStatus;
  /** Called when the status changes. Returns what ends it. */
  subscribe(listener: (status: SyncStatus) => void): () => void;
  watch(): Live<SyncStatus>;
  /**
   * Pushes and pulls at once, in whichever tab leads. Resolves when both sides have the same. Where the server asked to
   * wait (`Retry-After`) it waits for as long; `status().lastError` says so. Rejects with what stands in the way: what
   * `status().blockedBy` says, the error of a request that failed, or `sync-unavailable` (details: reason) if there is no
   * network or sync is paused. What can be sent beside commits that cannot be decided is sent before it rejects.
   */
  now(options?: Abortable): Promise<void>;
  /** Leaves the server alone, in all tabs, until `resume` or until they are closed. */
  pause(): void;
  resume(): void;
}
