// The events that the benchmark stores: a bank's ledger in the bank's own order.
//
// The real file (49,102 transactions over 1,229 accounts) is read when it is there: in the folder that
// EVERFOLD_DATA names, or in `../shared/data` beside the repository. Otherwise a ledger of the same shape
// is generated from a fixed seed, so that a run on any checkout is repeatable.
//
// Larger ledgers replay the file round after round with account ids suffixed by the round (`2378-r07`),
// so versions repeat from round to round and any slice can be made without making what precedes it.

import { existsSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { gunzipSync } from "node:zlib";
import { generateRows } from "./generated.mjs";

const fileName = "berka-ledger.csv.gz";

export function openLedger(repository) {
  const folder = process.env.EVERFOLD_DATA ?? resolve(repository, "../shared/data");
  const file = join(folder, fileName);
  const real = existsSync(file);
  const rows = real ? parseRows(gunzipSync(readFileSync(file)).toString("utf8")) : generateRows();
  return new Ledger(rows, real ? "real" : "generated", real ? fileName : `generated, no ${fileName} found`);
}

export class Ledger {
  constructor(rows, origin, description) {
    const lengthByAccount = new Map();
    this.rows = rows.map((row) => {
      const version = (lengthByAccount.get(row.account) ?? 0) + 1;
      lengthByAccount.set(row.account, version);
      return { ...row, version };
    });
    this.origin = origin;
    this.description = description;
  }

  /** Events `from` to `from + count`, counted from 0 over all rounds. */
  events(from, count) {
    return Array.from({ length: count }, (_, offset) => this.#event(from + offset));
  }

  /** The `count` accounts whose streams are nearest to `length` events long after the first `within` events. */
  accountsNear(length, within, count) {
    const lengths = new Map();
    for (let index = 0; index < within; index += 1) {
      const id = this.#accountId(index);
      lengths.set(id, (lengths.get(id) ?? 0) + 1);
    }
    const distance = ([, found]) => Math.abs(found - length);
    return [...lengths]
      .sort((a, b) => distance(a) - distance(b))
      .slice(0, count)
      .map(([id, events]) => ({ id, events }));
  }

  /** Balance of every account after the first `count` events, computed apart from any store. */
  balancesAfter(count) {
    const balances = new Map();
    for (let index = 0; index < count; index += 1) {
      const row = this.rows[index % this.rows.length];
      const id = this.#accountId(index);
      const change = row.type === "account.money_deposited" ? row.data.amount : -row.data.amount;
      balances.set(id, (balances.get(id) ?? 0) + change);
    }
    return balances;
  }

  #accountId(index) {
    const round = Math.floor(index / this.rows.length);
    return `${this.rows[index % this.rows.length].account}-r${String(round).padStart(2, "0")}`;
  }

  #event(index) {
    const row = this.rows[index % this.rows.length];
    return {
      streamId: `account-${this.#accountId(index)}`,
      version: row.version,
      type: row.type,
      data: row.data,
      occurredAt: row.occurredAt,
    };
  }
}

/** The file has no quoted fields, so a split is a parser. */
function parseRows(text) {
  return text
    .trimEnd()
    .split(/\r?\n/)
    .slice(1)
    .map((line) => {
      const [id, account, date, direction, operation, amount, reported, category, bank, counterparty] = line.split(",");
      return {
        account,
        type: direction === "credit" ? "account.money_deposited" : "account.money_withdrawn",
        occurredAt: Date.parse(`${date}T00:00:00Z`),
        data: transaction({
          id: Number(id),
          date,
          operation,
          amount: minorUnits(amount),
          reported: minorUnits(reported),
          category,
          bank,
          counterparty,
        }),
      };
    });
}

/** What an event carries: about 140 bytes of JSON, empty columns left out. */
function transaction({ id, date, operation, amount, reported, category, bank, counterparty }) {
  return {
    transactionId: id,
    date,
    operation: operation || "other",
    amount,
    reportedBalance: reported,
    ...(category && { category }),
    ...(bank && { counterBank: bank }),
    ...(counterparty && { counterAccount: counterparty }),
  };
}

/** Exact: the text's digits, never a float times 100. */
function minorUnits(text) {
  const [, sign, whole, cents] = /^(-?)(\d+)\.(\d\d)$/.exec(text) ?? [];
  if (whole === undefined) throw new Error(`not an amount with two places: ${text}`);
  return (sign ? -1 : 1) * Number(whole + cents);
}
