// The real bank file, and what it says: counted here in a few lines of their own, which share nothing with the demo.

import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";

/** Kept beside the checkout, never in it. */
export const bankFile = join(import.meta.dirname, "..", "..", "..", "shared", "data", "berka-ledger.csv.gz");

/** Skips a test that needs the file, and says so: the reporter keeps reasons to itself. */
export function skipWithoutBankFile(info: { readonly title: string; skip(): void }): void {
  if (existsSync(bankFile)) return;
  process.stdout.write(`skipped, as the bank file is not beside this checkout: ${info.title}\n`);
  info.skip();
}

/** Its text, unpacked. */
export function readBankFile(): string {
  return gunzipSync(readFileSync(bankFile)).toString("utf8");
}

interface Statement {
  readonly rows: number;
  /** In hellers, by account. */
  readonly balances: Map<string, number>;
  readonly total: number;
}

/** What every account holds after the rows up to and including a day; after all of them without one. */
export function statementOf(lastDay = "9999-12-31"): Statement {
  const [, ...lines] = readBankFile().trimEnd().split("\n");
  const balances = new Map<string, number>();
  let rows = 0;
  let total = 0;
  for (const line of lines) {
    const [, account = "", date = "", direction, , amount = ""] = line.split(",");
    if (date > lastDay) continue;
    const change = Number(amount.replace(".", "")) * (direction === "credit" ? 1 : -1);
    balances.set(account, (balances.get(account) ?? 0) + change);
    total += change;
    rows += 1;
  }
  return { rows, balances, total };
}
