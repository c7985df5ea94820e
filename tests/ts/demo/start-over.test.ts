// @vitest-environment happy-dom
import { EverfoldError } from "everfold";
import { act, createElement, type ReactElement } from "react";
import { createRoot, type Root } from "react-dom/client";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { ForgetDevices } from "../../../www/src/devices/forget-devices.tsx";
import { LedgerContext } from "../../../www/src/shell/ledger-context.ts";
import { Erase } from "../../../www/src/storage/erase.tsx";
import type { Ledger } from "../../../www/src/store.ts";

vi.mock(import("everfold"), async (original) => ({
  ...(await original()),
  deleteStore: () => Promise.reject(new EverfoldError("store-blocked", "another tab is frozen", {})),
}));

(globalThis as { IS_REACT_ACT_ENVIRONMENT?: boolean }).IS_REACT_ACT_ENVIRONMENT = true;

let container: HTMLElement;
let root: Root;
const reload = vi.spyOn(location, "reload").mockImplementation(() => {});

beforeEach(() => {
  reload.mockClear();
  container = document.body.appendChild(document.createElement("div"));
  root = createRoot(container);
});
afterEach(() => {
  act(() => root.unmount());
  container.remove();
});

const ledger = { close: async () => {} } as Ledger;
const click = (name: string) =>
  act(async () => [...container.querySelectorAll("button")].find(({ textContent }) => textContent === name)?.click());

const erase = () => createElement(LedgerContext, { value: ledger }, createElement(Erase));
const forget = () => createElement(ForgetDevices);

test.each<[string, () => ReactElement, readonly [string, string, string]]>([
  ["a ledger", erase, ["Erase the ledger", "Erase everything", "Keep it"]],
  ["devices", forget, ["Start over with empty devices", "Start over", "Keep them"]],
])(
  "%s that could not be deleted are opened again when they are kept, as they are closed by then",
  async (_, page, words) => {
    const [ask, doIt, keep] = words;
    act(() => root.render(page()));

    await click(ask);
    await click(keep);
    expect(reload).not.toHaveBeenCalled();
    await click(ask);
    await click(doIt);
    expect(container.querySelector("[role=alert]")?.textContent).toContain("another tab is frozen");
    await click(keep);

    expect(reload).toHaveBeenCalledTimes(1);
  },
);
