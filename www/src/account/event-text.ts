/** Events in the words of a statement. */
import type { AccountEvent } from "../ledger.ts";

const OPERATIONS: Readonly<Record<string, string>> = {
  cash_deposit: "Cash deposit",
  cash_withdrawal: "Cash withdrawal",
  card_withdrawal: "Card withdrawal",
  transfer_in: "Transfer in",
  transfer_out: "Transfer out",
  interest_or_fee: "Interest or fee",
};

/** What kind of event it was. */
export function titleOf(event: AccountEvent): string {
  switch (event.type) {
    case "account.opened":
      return "Account opened";
    case "account.money_deposited":
      return operationOf(event.data.operation) ?? "Deposit";
    case "account.money_withdrawn":
      return operationOf(event.data.operation) ?? "Withdrawal";
    case "account.money_transferred":
      return event.data.side === "sent" ? `Sent to ${event.data.account}` : `Received from ${event.data.account}`;
    case "account.frozen":
      return "Account frozen";
    case "account.unfrozen":
      return "Account unfrozen";
  }
}

/** What was said about it, if anything was. */
export function noteOf(event: AccountEvent): string {
  switch (event.type) {
    case "account.opened":
      return event.data.owner ?? "";
    case "account.frozen":
      return event.data.reason;
    case "account.money_transferred":
      return event.data.note ?? "";
    case "account.unfrozen":
      return "";
    default: {
      const { note, counterBank, counterAccount } = event.data;
      const counterpart = [counterAccount, counterBank].filter(Boolean).join(" / ");
      return [note && inWords(note), counterpart].filter(Boolean).join(" · ");
    }
  }
}

function operationOf(operation: string | undefined): string | undefined {
  return operation && (OPERATIONS[operation] ?? inWords(operation));
}

/** `statement_fee` as `Statement fee`; text that is words already stays. */
function inWords(text: string): string {
  const words = text.replaceAll("_", " ");
  return words.charAt(0).toUpperCase() + words.slice(1);
}
