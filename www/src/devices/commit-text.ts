/** A commit in a few words: for a line of a list, and for a place where only a figure fits. */
import { type AccountEvent, amountOf } from "../ledger.ts";
import { formatAmount, formatMoney, formatRoughly, type Hellers } from "../money.ts";

/** An event and the account that it happened to. */
export type PlacedEvent = AccountEvent & { readonly streamId: string };

/** `Withdrew 900.00 CZK from Household`. */
export function textOf(events: readonly PlacedEvent[]): string {
  const [verb, ...where] = wordsOf(events);
  const sum = sumOf(events);
  return [verb, ...(sum === undefined ? [] : [formatMoney(sum)]), ...where].join(" ");
}

/** The same without the sum, where that stands beside it: `Withdrew from Household`. */
export function titleOf(events: readonly PlacedEvent[]): string {
  return wordsOf(events).join(" ");
}

/** What moved, without a sign; undefined if it was not about money. */
export function sumOf(events: readonly PlacedEvent[]): Hellers | undefined {
  const [first] = events;
  return first && amountOf(first) !== 0 ? Math.abs(amountOf(first)) : undefined;
}

function wordsOf(events: readonly PlacedEvent[]): readonly string[] {
  const [first] = events;
  if (!first) return ["Nothing"];
  const where = accountOf(first.streamId);
  switch (first.type) {
    case "account.opened":
      return ["Opened", where];
    case "account.money_deposited":
      return ["Deposited", "to", where];
    case "account.money_withdrawn":
      return ["Withdrew", "from", where];
    case "account.money_transferred": {
      const other = first.data.account;
      const [from, to] = first.data.side === "sent" ? [where, other] : [other, where];
      return ["Sent", "from", from, "to", to];
    }
    case "account.frozen":
      return ["Froze", where];
    case "account.unfrozen":
      return ["Unfroze", where];
  }
}

/** `−900`, `→250`, `new`: what a commit did, in at most seven characters. */
export function markOf(events: readonly PlacedEvent[]): string {
  const [first] = events;
  if (!first) return "–";
  switch (first.type) {
    case "account.opened":
      return "new";
    case "account.frozen":
      return "frozen";
    case "account.unfrozen":
      return "free";
    case "account.money_transferred":
      return `→${shortly(first.data.amount)}`;
    default: {
      const change = amountOf(first);
      return `${change < 0 ? "−" : "+"}${shortly(Math.abs(change))}`;
    }
  }
}

export function accountOf(streamId: string): string {
  return streamId.slice("account-".length);
}

function shortly(amount: Hellers): string {
  const text = formatAmount(amount).replace(/\.00$/, "");
  return text.length > 6 ? formatRoughly(amount) : text;
}
