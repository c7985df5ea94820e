/**
 * A device's store as its panel sees it, under the test's control: what it holds, where its sync stands,
 * what was refused.
 */
import type { Live, LiveState, Refusal, SyncStatus } from "everfold";
import type { Balance } from "../../../www/src/balances.ts";
import type { DeviceStore } from "../../../www/src/devices/device-store.ts";

interface Said<T> {
  readonly live: Live<T>;
  say(value: T): void;
}

export interface FakeDevice {
  readonly store: DeviceStore;
  readonly status: Said<SyncStatus>;
  readonly refusals: Said<readonly Refusal[]>;
  /** What each account holds. */
  readonly accounts: Said<readonly { readonly key: string; readonly row: Balance }[]>;
  /** What was executed, in order. */
  readonly executed: unknown[][];
}

export const ONLINE: SyncStatus = {
  state: "idle",
  pending: 0,
  oldestPendingMs: null,
  lastContact: Date.UTC(2026, 10, 21, 12, 0, 3),
  blockedBy: null,
  confirmedPosition: 0,
  lastError: null,
  leader: true,
  progress: null,
  commits: 0,
  hash: null,
};

/** `answer` is what `execute` does. */
export function fakeDevice(
  holds: Readonly<Record<string, number>> = {},
  answer: (call: unknown[]) => Promise<unknown> = async () => ({}),
): FakeDevice {
  const status = said<SyncStatus>(ONLINE);
  const refusals = said<readonly Refusal[]>([]);
  const accounts = said(
    Object.entries(holds).map(([account, balance]) => ({ key: account, row: row(account, balance) })),
  );
  const executed: unknown[][] = [];
  const store = {
    view: () => ({ watch: () => accounts.live }),
    sync: {
      status: () => status.live.current.value,
      watch: () => status.live,
      subscribe: (listener: (status: SyncStatus) => void) =>
        status.live.subscribe(({ value }) => value && listener(value)),
    },
    refusals: { watch: () => refusals.live },
    execute: (...call: unknown[]) => {
      executed.push(call);
      return answer(call);
    },
  } as unknown as DeviceStore;
  return { store, status, refusals, accounts, executed };
}

function row(account: string, balance: number): Balance {
  return { account, owner: account, balance, frozen: false, lastActivity: 0, events: 2 };
}

function said<T>(first: T): Said<T> {
  const listeners = new Set<(state: LiveState<T>) => void>();
  let current: LiveState<T> = { status: "ready", value: first };
  return {
    live: {
      get current() {
        return current;
      },
      subscribe(listener) {
        listeners.add(listener);
        return () => listeners.delete(listener);
      },
      dispose() {},
      [Symbol.dispose]() {},
    },
    say(value) {
      current = { status: "ready", value };
      for (const listener of listeners) listener(current);
    },
  };
}
