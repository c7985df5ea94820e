/**
 * One row of a bank's transactions file, read strictly: a row is understood whole or not at all.
 *
 * Columns are found by their names in the header, in any order; columns that we do not know are
 * left alone. Amounts go from text to hellers without ever being a fraction.
 */
import Papa from "papaparse";
import { type Day, isDay } from "../day.ts";
import { type Hellers, parseAmount } from "../money.ts";

export interface Transaction {
  readonly id: string;
  readonly account: string;
  readonly day: Day;
  readonly direction: "credit" | "debit";
  readonly amount: Hellers;
  readonly operation: string;
  readonly category: string;
  readonly reportedBalance: Hellers | undefined;
  readonly counterBank: string;
  readonly counterAccount: string;
}

/** A line that was not understood, and why, for the person who has to mend it. */
export class BrokenLine extends Error {
  override readonly name = "BrokenLine";
}

const REQUIRED = ["transaction_id", "account_id", "date", "direction", "amount"] as const;
const OPTIONAL = ["operation", "reported_balance", "category", "counter_bank", "counter_account"] as const;

type Column = (typeof REQUIRED)[number] | (typeof OPTIONAL)[number];

/** Where each known column stands, and what separates them. */
export interface Header {
  readonly delimiter: string;
  readonly width: number;
  readonly columns: ReadonlyMap<Column, number>;
}

/** The columns that a file must have, for the page that asks for one. */
export const requiredColumns: readonly string[] = REQUIRED;

/** Throws `BrokenLine` if a column that is needed is missing, or if it cannot be told which one is meant. */
export function readHeader(text: string): Header {
  const { data, meta } = Papa.parse<string[]>(text, { delimitersToGuess: [",", ";", "\t"] });
  const names = (data[0] ?? []).map((name) => name.trim().toLowerCase());
  const missing = REQUIRED.filter((name) => !names.includes(name));
  if (missing.length > 0) {
    throw new BrokenLine(`The first line must name the columns. Not found: ${missing.join(", ")}.`);
  }
  const known = [...REQUIRED, ...OPTIONAL].filter((name) => names.includes(name));
  const twice = known.filter((name) => names.indexOf(name) !== names.lastIndexOf(name));
  if (twice.length > 0) {
    throw new BrokenLine(`The first line must name each column once. Named twice: ${twice.join(", ")}.`);
  }
  const columns = new Map(known.map((name) => [name, names.indexOf(name)] as const));
  return { delimiter: meta.delimiter, width: names.length, columns };
}

/** Throws `BrokenLine` with the first thing that is wrong. */
export function readTransaction(text: string, header: Header): Transaction {
  const { data, errors } = Papa.parse<string[]>(text, { delimiter: header.delimiter });
  const cells = data[0] ?? [];
  if (errors.length > 0) throw new BrokenLine("A quotation mark is not closed.");
  if (cells.length !== header.width) {
    const columns = cells.length === 1 ? "1 column" : `${cells.length} columns`;
    throw new BrokenLine(`${columns} where the header names ${header.width}.`);
  }
  const cell = (name: Column): string => cells[header.columns.get(name) ?? -1]?.trim() ?? "";
  const reported = cell("reported_balance");
  return {
    id: readId(cell("transaction_id"), "transaction_id"),
    account: readId(cell("account_id"), "account_id"),
    day: readDay(cell("date")),
    direction: readDirection(cell("direction")),
    amount: readAmount(cell("amount")),
    operation: cell("operation"),
    category: cell("category"),
    reportedBalance: reported === "" ? undefined : readReported(reported),
    counterBank: cell("counter_bank"),
    counterAccount: cell("counter_account"),
  };
}

function readId(text: string, column: string): string {
  if (!/^[\w.:-]{1,64}$/.test(text)) {
    throw new BrokenLine(text === "" ? `${column} is empty.` : `${column} “${shortened(text)}” is not an id.`);
  }
  return text;
}

function readDay(text: string): Day {
  if (!isDay(text)) throw new BrokenLine(`“${shortened(text)}” is not a date like 1993-01-31.`);
  return text;
}

function readDirection(text: string): "credit" | "debit" {
  if (text !== "credit" && text !== "debit") {
    throw new BrokenLine(`direction “${shortened(text)}” is neither credit nor debit.`);
  }
  return text;
}

function readAmount(text: string): Hellers {
  const amount = parseAmount(text);
  if (amount === undefined) throw new BrokenLine(`amount “${shortened(text)}” is not like 1234.50.`);
  if (amount === 0) throw new BrokenLine("amount is zero.");
  return amount;
}

function readReported(text: string): Hellers {
  const owed = text.startsWith("-");
  const amount = parseAmount(owed ? text.slice(1) : text);
  if (amount === undefined) throw new BrokenLine(`reported_balance “${shortened(text)}” is not like 1234.50.`);
  return owed && amount !== 0 ? -amount : amount;
}

function shortened(text: string): string {
  return text.length > 24 ? `${text.slice(0, 24)}…` : text;
}
