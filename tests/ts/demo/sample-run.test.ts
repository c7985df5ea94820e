// @vitest-environment happy-dom
import { EverfoldError, openStore } from "everfold";
import { EverfoldProvider } from "everfold/react";
import { act, createElement } from "react";
import { createRoot } from "react-dom/client";
import { expect, test } from "vitest";
import { balances } from "../../../www/src/balances.ts";
import { BankPage } from "../../../www/src/bank/bank-page.tsx";
import { fillWithSample, SAMPLES } from "../../../www/src/bank/sample-run.ts";
import { dailyTotals } from "../../../www/src/daily-totals.ts";
import { account, transfer } from "../../../www/src/ledger.ts";
import { LedgerContext } from "../../../www/src/shell/ledger-context.ts";
import type { Ledger } from "../../../www/src/store.ts";
import { wasm } from "../wasm-files.js";
import { untilShown } from "./shown.ts";

(globalThis as { IS_REACT_ACT_ENVIRONMENT?: boolean }).IS_REACT_ACT_ENVIRONMENT = true;

test("a sample that failed is told, and hides nothing of the bank", async () => {
  const bank = await openStore({
    ...{ name: "sample", storage: "memory", wasm },
    ...{ aggregates: [account], decisions: [transfer], projections: [balances, dailyTotals] },
  });
  await bank.append("account-1001", [{ type: "account.opened", data: { owner: "Jana" } }], {
    commitId: SAMPLES.bank.first,
  });
  const full = new EverfoldError("quota-exceeded", "no room", {});
  await act(() => fillWithSample({ ...bank, ingest: () => Promise.reject(full) } as unknown as Ledger, SAMPLES.bank));
  const container = document.body.appendChild(document.createElement("div"));
  const root = createRoot(container);

  const page = createElement(LedgerContext, { value: bank as unknown as Ledger }, createElement(BankPage));
  act(() => root.render(createElement(EverfoldProvider, { store: bank }, page)));
  await untilShown(() => expect(container.textContent).toContain("Write the rest"));

  expect(container.querySelector("h1")?.textContent).toBe("The whole bank");
  expect(container.querySelector("[role=alert]")?.textContent).toContain("no room");
  act(() => root.unmount());
  container.remove();
  await bank.close();
});
