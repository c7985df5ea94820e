// @vitest-environment happy-dom
import type { ProjectionStats, StoreStats } from "everfold";
import { act, createElement } from "react";
import { createRoot } from "react-dom/client";
import { expect, test, vi } from "vitest";
import { LedgerContext } from "../../../www/src/shell/ledger-context.ts";
import { StoragePage } from "../../../www/src/storage/storage-page.tsx";
import type { Ledger } from "../../../www/src/store.ts";

(globalThis as { IS_REACT_ACT_ENVIRONMENT?: boolean }).IS_REACT_ACT_ENVIRONMENT = true;

const statsOf = (events: number): StoreStats => ({
  ...{ events, streams: 1, segments: 0, bytes: 100, snapshots: 0, withoutSnapshots: [], projections: [] },
  ...{ pending: 0, quota: null, persisted: false },
});

test("figures end with those of the last commit, in whatever order they are told, and are not asked for in heaps", async () => {
  const asked: ((stats: StoreStats) => void)[] = [];
  let changed = (): void => {};
  const ledger = {
    stats: () => new Promise<StoreStats>((resolve) => asked.push(resolve)),
    subscribe: (_: object, listener: () => void) => {
      changed = listener;
      return () => {};
    },
  } as unknown as Ledger;
  const container = document.body.appendChild(document.createElement("div"));
  const root = createRoot(container);
  act(() => root.render(createElement(LedgerContext, { value: ledger }, createElement(StoragePage))));

  for (let commit = 0; commit < 100; commit += 1) act(() => changed());
  expect(asked).toHaveLength(1);
  await act(async () => asked[0]?.(statsOf(1)));
  await act(async () => asked[1]?.(statsOf(101)));

  expect(asked).toHaveLength(2);
  expect(container.querySelector(".storage-figures dd")?.textContent).toBe("101");
  act(() => root.unmount());
  container.remove();
});

test("a projection that is behind is asked about until it has caught up", async () => {
  const standing = { name: "balances", version: 1, checkpoint: 3, from: null, failed: null };
  const lags = [2, 1, 0];
  let asked = 0;
  const stats = async (): Promise<StoreStats> => {
    const lag = lags[asked] ?? 0;
    asked += 1;
    return { ...statsOf(3), projections: [{ ...standing, lag } as unknown as ProjectionStats] };
  };
  const ledger = { stats, subscribe: () => () => {} } as unknown as Ledger;
  const container = document.body.appendChild(document.createElement("div"));
  const root = createRoot(container);
  const told = () => [...container.querySelectorAll("[role=status]")].map(({ textContent }) => textContent);

  await act(async () => root.render(createElement(LedgerContext, { value: ledger }, createElement(StoragePage))));
  expect(told()).toContain("Version 1, 2 events behind.");

  await vi.waitFor(async () => {
    await act(() => new Promise((resolve) => setTimeout(resolve, 50)));
    expect(told()).toContain("Version 1, up to date with event 3.");
  }, 10_000);
  act(() => root.unmount());
  container.remove();
});
