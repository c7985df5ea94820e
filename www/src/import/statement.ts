/**
 * A transactions file as a stream of what its lines turned out to be, and a look at the whole of it
 * before anything is written.
 */
import type { Day } from "../day.ts";
import type { Hellers } from "../money.ts";
import { linesOf } from "./lines.ts";
import { BrokenLine, type Header, readHeader, readTransaction, type Transaction } from "./transaction.ts";

export type Row =
  | { readonly line: number; readonly transaction: Transaction }
  | { readonly line: number; readonly problem: string };

/** Every line after the header, in order. Throws `BrokenLine` if the header is not one. */
export async function* rowsOf(file: Blob): AsyncGenerator<Row> {
  let header: Header | undefined;
  const lineById = new Map<string, number>();
  for await (const { number, text } of linesOf(file)) {
    if (!header) {
      header = readHeader(text);
      continue;
    }
    try {
      const transaction = readTransaction(text, header);
      const earlier = lineById.get(transaction.id);
      if (earlier !== undefined) {
        throw new BrokenLine(`transaction_id ${transaction.id} was used on line ${earlier} already.`);
      }
      lineById.set(transaction.id, number);
      yield { line: number, transaction };
    } catch (error) {
      if (!(error instanceof BrokenLine)) throw error;
      yield { line: number, problem: error.message };
    }
  }
  if (!header) throw new BrokenLine("This file is empty.");
}

/** What a file holds, counted before it is imported. */
export interface Preview {
  readonly name: string;
  readonly rows: number;
  readonly accounts: number;
  readonly firstDay: Day;
  readonly lastDay: Day;
  readonly credits: Hellers;
  readonly debits: Hellers;
  /** The first few transactions, to see that columns were understood. */
  readonly sample: readonly Transaction[];
  readonly broken: number;
  /** The first of the broken lines. */
  readonly problems: readonly Problem[];
}

export interface Problem {
  readonly line: number;
  readonly problem: string;
}

const SAMPLE_ROWS = 5;
/** More than anyone mends by hand; the count goes on. */
export const PROBLEMS_SHOWN = 500;

/** Reads the whole file once. Rejects with the signal's reason when it is aborted. */
export async function preview(file: File, { signal }: { readonly signal: AbortSignal }): Promise<Preview> {
  const accounts = new Set<string>();
  const sample: Transaction[] = [];
  const problems: Problem[] = [];
  let rows = 0;
  let broken = 0;
  let credits = 0;
  let debits = 0;
  let firstDay: Day = "9999-12-31";
  let lastDay: Day = "0000-01-01";
  for await (const row of rowsOf(file)) {
    signal.throwIfAborted();
    if ("problem" in row) {
      broken += 1;
      if (problems.length < PROBLEMS_SHOWN) problems.push(row);
      continue;
    }
    const { transaction } = row;
    rows += 1;
    accounts.add(transaction.account);
    if (transaction.day < firstDay) firstDay = transaction.day;
    if (transaction.day > lastDay) lastDay = transaction.day;
    if (transaction.direction === "credit") credits += transaction.amount;
    else debits += transaction.amount;
    if (sample.length < SAMPLE_ROWS) sample.push(transaction);
  }
  return {
    name: file.name,
    rows,
    accounts: accounts.size,
    firstDay,
    lastDay,
    credits,
    debits,
    sample,
    broken,
    problems,
  };
}
