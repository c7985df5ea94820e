/** What one may look for in an account's past, ready to be chosen. */
import type { Account, AccountEvent } from "../../ledger.ts";
import { amountOf } from "../../ledger.ts";
import { formatMoney, type Hellers } from "../../money.ts";

export type Condition = { readonly kind: "below" | "above"; readonly amount: Hellers } | { readonly kind: "frozen" };

/** In the words of the choice; the amount follows. */
export const CONDITIONS: Readonly<Record<Condition["kind"], string>> = {
  below: "the balance fell below",
  above: "the balance rose above",
  frozen: "the account was frozen",
};

/** Whether it came about by this event. An account that was below an amount all the time is not 'fallen' below it. */
export function cameAbout(condition: Condition, { balance, frozen }: Account, event: AccountEvent): boolean {
  const before = balance - amountOf(event);
  switch (condition.kind) {
    case "below":
      return before >= condition.amount && balance < condition.amount;
    case "above":
      return before <= condition.amount && balance > condition.amount;
    case "frozen":
      return frozen;
  }
}

export function textOf(condition: Condition): string {
  const words = CONDITIONS[condition.kind];
  return condition.kind === "frozen" ? words : `${words} ${formatMoney(condition.amount)}`;
}
