/**
 * What was refused or changed, as it is stored.
 */
import type { CoreBatch } from "./reading.js";

/** What was pending and is not any more, or not as it was. */
export interface CoreRefusal {
  readonly commitId: string;
  readonly kind: "refused" | "changed" | "orphaned";
  /** Whether the app was told of it: `refusalTold`. */
  readonly told?: true;
  /** What `CoreDecision` said, the problem document of the server, or `{ code: "conflict" | "no-events" }`. */
  readonly reason: unknown;
  readonly stateSeen:
    | readonly { readonly streamId: string; readonly version: number; readonly state: unknown }[]
    | null;
  readonly attempt: number;
  readonly mode: "intent" | "fact";
  readonly recordedAt: number;
  readonly command?: unknown;
  readonly definition?: { readonly name: string; readonly version: number };
  /** Its events as they were. They have no position. */
  readonly batch: CoreBatch;
  /** Those of one that was changed as they are now. */
  readonly after?: CoreBatch;
}

/** What keeps refusals until somebody has seen them. */
export interface CoreRefusals {
  /** Makes an orphan pending again, as a fact with its id: `CoreProgress`. */
  retryOrphan(commitId: string): Promise<string>;
  /** `CoreRefusal[]`, those that are not dismissed, oldest first. */
  refusals(): Promise<string>;
  dismissRefusal(commitId: string): Promise<void>;
  /** The app has been told of it, and is not told again. */
  refusalTold(commitId: string): Promise<void>;
}
