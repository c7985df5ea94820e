/**
 * What the core rejects with.
 */

/** What the core rejects with. `code` is one of `EverfoldErrorCode`. */
export interface CoreError {
  readonly code: string;
  readonly message: string;
  readonly details?: Readonly<Record<string, unknown>>;
}
