/** The open store, for the parts of the page that ask it directly. */
import { createContext, useContext } from "react";
import type { Ledger } from "../store.ts";

export const LedgerContext = createContext<Ledger | null>(null);

export function useLedger(): Ledger {
  const ledger = useContext(LedgerContext);
  if (!ledger) throw new Error("useLedger is used outside the open ledger");
  return ledger;
}
