// @vitest-environment happy-dom
import { EverfoldError } from "everfold";
import { act, createElement } from "react";
import { createRoot } from "react-dom/client";
import { expect, test, vi } from "vitest";
import { LedgerContext } from "../../../www/src/shell/ledger-context.ts";
import { followErased, tellErased } from "../../../www/src/storage/erased.ts";
import { Persistence } from "../../../www/src/storage/persistence.tsx";
import type { Ledger } from "../../../www/src/store.ts";

(globalThis as { IS_REACT_ACT_ENVIRONMENT?: boolean }).IS_REACT_ACT_ENVIRONMENT = true;

test("a tab begins anew when another one has erased the ledger, and only then", () => {
  const reload = vi.spyOn(location, "reload").mockImplementation(() => {});
  const told = vi.spyOn(Storage.prototype, "setItem");
  followErased();

  dispatchEvent(new StorageEvent("storage", { key: "devices" }));
  expect(reload).not.toHaveBeenCalled();
  tellErased();
  dispatchEvent(new StorageEvent("storage", { key: told.mock.calls[0]?.[0] ?? "" }));

  expect(reload).toHaveBeenCalledTimes(1);
});

test("a ledger that is gone says so when it is asked to be kept", async () => {
  const closed = new EverfoldError("store-closed", "another tab deleted the store", {});
  const ledger = { persist: () => Promise.reject(closed) } as unknown as Ledger;
  const container = document.body.appendChild(document.createElement("div"));
  const root = createRoot(container);
  const part = createElement(Persistence, { persisted: false, onChange: () => {} });
  act(() => root.render(createElement(LedgerContext, { value: ledger }, part)));

  await act(async () => container.querySelector("button")?.click());

  expect(container.querySelector("[role=alert]")?.textContent).toContain("Another tab has erased this ledger");
  act(() => root.unmount());
  container.remove();
});
