/** The one store of the demo, opened the same way by the page and by its worker. */
import { openStore } from "everfold";
import { balances } from "./balances.ts";
import { dailyTotals } from "./daily-totals.ts";
import { account, transfer } from "./ledger.ts";

export const STORE_NAME = "ledger";

export function openLedger() {
  return openStore({
    name: STORE_NAME,
    aggregates: [account],
    decisions: [transfer],
    projections: [balances, dailyTotals],
  });
}

/** The store with its definitions known to the compiler. */
export type Ledger = Awaited<ReturnType<typeof openLedger>>;
