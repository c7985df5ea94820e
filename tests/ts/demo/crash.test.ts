// @vitest-environment happy-dom
import { openStore } from "everfold";
import { EverfoldProvider } from "everfold/react";
import { act, createElement } from "react";
import { createRoot } from "react-dom/client";
import { afterEach, expect, test, vi } from "vitest";
import { balances } from "../../../www/src/balances.ts";
import { account, transfer } from "../../../www/src/ledger.ts";
import { LedgerContext } from "../../../www/src/shell/ledger-context.ts";
import type { Ledger } from "../../../www/src/store.ts";
import { Crash } from "../../../www/src/tour/crash.tsx";
import { wasm } from "../wasm-files.js";
import { untilShown } from "./shown.ts";

const { opening } = vi.hoisted(() => ({ opening: { fails: new Error("no room") } }));
vi.mock("../../../www/src/store.ts", () => ({ openLedger: () => Promise.reject(opening.fails) }));

(globalThis as { IS_REACT_ACT_ENVIRONMENT?: boolean }).IS_REACT_ACT_ENVIRONMENT = true;

afterEach(() => vi.unstubAllGlobals());

test("a worker that fails says so to its page, which does not wait for it", async () => {
  let order: ((message: { data: unknown }) => void) | undefined;
  const reported = vi.fn();
  vi.stubGlobal("addEventListener", (_: string, listener: typeof order) => {
    order = listener;
  });
  vi.stubGlobal("reportError", reported);
  await import("../../../www/src/tour/crash-worker.ts");

  order?.({ data: { run: "1", from: "1001", to: "1002" } });

  await vi.waitFor(() => expect(reported).toHaveBeenCalledWith(opening.fails));
});

test("leaving the page ends the worker, and nothing is reloaded under the next page", async () => {
  const terminated = vi.fn();
  vi.stubGlobal(
    "Worker",
    class {
      addEventListener = () => undefined;
      postMessage = () => undefined;
      terminate = terminated;
    },
  );
  const options = { storage: "memory", aggregates: [account], decisions: [transfer], projections: [balances] } as const;
  const bank = await openStore({ name: "crash", wasm, ...options });
  for (const id of ["1001", "1002"]) {
    await bank.execute(account, id, { type: "Open", data: { owner: id } });
    await bank.execute(account, id, { type: "Deposit", data: { amount: 500_00 } });
  }
  const container = document.body.appendChild(document.createElement("div"));
  const root = createRoot(container);
  const page = createElement(LedgerContext, { value: bank as unknown as Ledger }, createElement(Crash));
  act(() => root.render(createElement(EverfoldProvider, { store: bank }, page)));
  await untilShown(() => expect(container.querySelector("button")).not.toBeNull());

  act(() => container.querySelector("button")?.click());
  expect(terminated).not.toHaveBeenCalled();
  act(() => root.unmount());

  expect(terminated).toHaveBeenCalledTimes(1);
  container.remove();
  await bank.close();
});
