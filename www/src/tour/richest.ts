/** Accounts to try things on: those that hold most, without the frozen and the empty ones. Null until they are known. */
import { useView } from "everfold/react";
import { type Balance, balances } from "../balances.ts";

export function useRichest(): readonly Readonly<Balance>[] | null {
  const richest = useView(balances, { index: "balance", gte: 100_00, reverse: true, limit: 20 });
  if (richest.status !== "ready") return null;
  return richest.value.map(({ row }) => row).filter(({ frozen }) => !frozen);
}
