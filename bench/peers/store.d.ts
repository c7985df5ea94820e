// What a store must offer to be measured: the same few operations, with the same guarantees, for all.
//
// A peer is written as a good engineer would write it for its library, and tuned as far as the promises
// below allow. A commit is durable as asked when its promise resolves; the version check holds across
// tabs; rows of the projection and its checkpoint describe the same instant.

export type LedgerEvent = {
  readonly streamId: string;
  readonly version: number;
  readonly type: "account.money_deposited" | "account.money_withdrawn";
  readonly data: Readonly<Record<string, unknown>>;
  readonly occurredAt: number;
};

export type OpenOptions = {
  readonly database: string;
  /** "strict": flushed to the disk before a commit resolves. "relaxed": survives a killed browser only. */
  readonly durability: "relaxed" | "strict";
  /** Keep the balances projection and its checkpoint up to date, on disk. */
  readonly projection: boolean;
  /** With definitions in Rust, where a store has them. */
  readonly rust?: boolean;
  /** With a server, where a store has that. */
  readonly sync?: { readonly url: string; readonly space: string; readonly token: string; readonly batchSize?: number };
};

/** Each `peers/<name>.js` exports this function as `open`. */
export type Open = (options: OpenOptions) => Promise<Store>;

export type Store = {
  /** One commit. Rejects if the stream is not at `expectedVersion`, also when another tab wrote it. */
  append(
    streamId: string,
    expectedVersion: number,
    events: readonly LedgerEvent[],
  ): Promise<{ confirmed?(): Promise<unknown> }>;
  /** The folded account, from the latest snapshot and the events after it. */
  load(accountId: string): Promise<{ state: { balance: number }; version: number }>;
  /** Resolves when a snapshot of the account as it is now is stored. */
  snapshot(accountId: string): Promise<void>;
  /** One row of the persisted projection, with every event in it that was committed before the call. */
  balance(accountId: string): Promise<number | undefined>;
  /** Writes batches of any streams as fast as the store can; resolves when all are durable. */
  ingest(batches: AsyncIterable<readonly LedgerEvent[]>): Promise<void>;
  /** Folds every event in log order through the balances reducer in memory; resolves to the number of events. */
  scan(): Promise<{ events: number; accounts: number; total: number }>;
  /** Where a store has such things of its own. */
  rebuild?(options?: { workers?: number }): Promise<{ foldedMs: number; switchedMs: number }>;
  project?(range: { from?: number; until?: number }): Promise<void>;
  confirmed?(commits: number): Promise<void>;
  pause?(): void;
  resume?(): void;
  close(): Promise<void>;
};
