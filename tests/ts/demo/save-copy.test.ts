// @vitest-environment happy-dom
import { act, createElement } from "react";
import { createRoot } from "react-dom/client";
import { expect, test } from "vitest";
import { LedgerContext } from "../../../www/src/shell/ledger-context.ts";
import { SaveCopy } from "../../../www/src/storage/save-copy.tsx";
import type { Ledger } from "../../../www/src/store.ts";

(globalThis as { IS_REACT_ACT_ENVIRONMENT?: boolean }).IS_REACT_ACT_ENVIRONMENT = true;

test("a copy that takes its time says so, and is not made twice by a second click", async () => {
  const exports: ((file: Blob) => void)[] = [];
  const ledger = { export: () => new Promise<Blob>((resolve) => exports.push(resolve)) } as unknown as Ledger;
  const container = document.body.appendChild(document.createElement("div"));
  const root = createRoot(container);
  act(() => root.render(createElement(LedgerContext, { value: ledger }, createElement(SaveCopy))));
  const click = () => act(() => container.querySelector("button")?.click());
  const told = () => container.querySelector("[role=status]")?.textContent;

  click();
  expect(told()).toBe("Gathering the events…");
  click();
  expect(exports).toHaveLength(1);

  await act(async () => exports[0]?.(new Blob(["log"])));
  expect(told()).toBe("Saved, 3 bytes.");
  click();
  expect(exports).toHaveLength(2);
  act(() => root.unmount());
  container.remove();
});
