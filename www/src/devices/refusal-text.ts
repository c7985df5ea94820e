/** What to tell of a commit that the merge did not leave as it was. */
import type { Refusal as RefusedCommit } from "everfold";
import type { Account, AccountCommand, Transfer } from "../ledger.ts";
import { formatMoney } from "../money.ts";
import { accountOf, type PlacedEvent, textOf } from "./commit-text.ts";

/** Above the card. */
export const REFUSAL_TITLES: Readonly<Record<RefusedCommit["kind"], string>> = {
  refused: "Refused",
  changed: "Decided differently",
  orphaned: "Gone from the server",
};

/** What was asked: the events that it had led to say where, the command says what if there are none. */
export function askedText({ events, command }: Pick<RefusedCommit, "events" | "command">): string {
  if (events.length > 0) return textOf(events as readonly PlacedEvent[]);
  const asked = command as AccountCommand | Transfer | null | undefined;
  return asked ? asked.type : "Something without a command";
}

/** Why, in the words of the rule where a rule spoke; of a change, what it has become. */
export function reasonText({ kind, reason, eventsNow }: Pick<RefusedCommit, "kind" | "reason" | "eventsNow">): string {
  switch (kind) {
    case "refused":
      return messageIn(reason) ?? "The rules do not allow it any more.";
    case "changed":
      return eventsNow?.length
        ? `What others had done meanwhile made it: ${textOf(eventsNow as readonly PlacedEvent[])}`
        : "After what others had done meanwhile, nothing was left to do.";
    case "orphaned":
      return "The server was restored from a copy that did not have it.";
  }
}

/** What each account held when the rule was asked again: `Household held 100.00 CZK`. */
export function seenTexts({ stateSeen }: Pick<RefusedCommit, "stateSeen">): readonly string[] {
  return (stateSeen ?? []).map(({ streamId, state }) => {
    const { balance, frozen } = state as Account;
    return `${accountOf(streamId)} held ${formatMoney(balance)}${frozen ? " and was frozen" : ""}`;
  });
}

/** What the rule threw, if it is known; else what the store made of it. */
function messageIn(reason: RefusedCommit["reason"]): string | undefined {
  const { message } = (reason?.cause ?? {}) as { readonly message?: unknown };
  return typeof message === "string" ? message : reason?.message;
}
