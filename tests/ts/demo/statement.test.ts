import { gzipSync } from "node:zlib";
import { describe, expect, test } from "vitest";
import { linesOf } from "../../../www/src/import/lines.ts";
import { preview, type Row, rowsOf } from "../../../www/src/import/statement.ts";

const HEADER =
  "transaction_id,account_id,date,direction,operation,amount,reported_balance,category,counter_bank,counter_account";
const GOOD = "695247,2378,1993-01-01,credit,cash_deposit,700.00,-12.30,interest,AB,41403269";

const fileOf = (...lines: string[]) => new File([lines.join("\n")], "statement.csv");
const rows = async (file: Blob): Promise<Row[]> => {
  const found: Row[] = [];
  for await (const row of rowsOf(file)) found.push(row);
  return found;
};
const problems = async (...lines: string[]) =>
  (await rows(fileOf(HEADER, ...lines))).flatMap((row) => ("problem" in row ? [[row.line, row.problem]] : []));

describe("lines", () => {
  test("are cut at every kind of line end, numbered as in an editor, whatever the pieces", async () => {
    const bytes = new TextEncoder().encode("\ufeffžluť,1\r\n\r\nb\n  \nc\rd\r");
    const inPieces = { slice: () => new Blob([]), stream: () => streamOf(bytes) } as unknown as Blob;

    const lines = [];
    for await (const line of linesOf(inPieces)) lines.push(line);

    expect(lines).toEqual([
      { number: 1, text: "žluť,1" },
      { number: 3, text: "b" },
      { number: 5, text: "c" },
      { number: 6, text: "d" },
    ]);
  });

  test("of a gzipped file are read, whatever it is called", async () => {
    const packed = new File([gzipSync(`${HEADER}\n${GOOD}\n`)], "download");

    expect(await rows(packed)).toHaveLength(1);
  });
});

describe("a transaction", () => {
  test("is read whole, its amounts exactly", async () => {
    expect(await rows(fileOf(HEADER, GOOD))).toEqual([
      {
        line: 2,
        transaction: {
          id: "695247",
          account: "2378",
          day: "1993-01-01",
          direction: "credit",
          amount: 70_000,
          operation: "cash_deposit",
          category: "interest",
          reportedBalance: -1_230,
          counterBank: "AB",
          counterAccount: "41403269",
        },
      },
    ]);
  });

  test("is found by the names of its columns, in any order, between semicolons too", async () => {
    const file = fileOf("Date;amount;direction;account_id;extra;transaction_id", '1993-01-02;5;debit;7;"x;y";9');

    expect(await rows(file)).toMatchObject([
      { transaction: { id: "9", account: "7", amount: 500, direction: "debit" } },
    ]);
  });

  test("that is broken is told by its line, and the rest is read", async () => {
    expect(
      await problems(
        GOOD,
        "1,2378,1993-02-30,credit,,1.00,,,,",
        '2,2378,1993-01-01,credit,,1.00,,"open,,',
        "3,2378,1993-01-01,credit",
        "4,2378,1993-01-01,both,,1.00,,,,",
        "5,2378,1993-01-01,debit,,1.001,,,,",
        "6,2378,1993-01-01,debit,,0.00,,,,",
        ",2378,1993-01-01,debit,,1.00,,,,",
        "8,,1993-01-01,debit,,1.00,,,,",
        "9,2378,1993-01-01,debit,,1.00,x,,,",
        GOOD,
        "10,2378,1993-01-01,debit,,1.00,,,,",
        "11",
      ),
    ).toEqual([
      [3, "“1993-02-30” is not a date like 1993-01-31."],
      [4, "A quotation mark is not closed."],
      [5, "4 columns where the header names 10."],
      [6, "direction “both” is neither credit nor debit."],
      [7, "amount “1.001” is not like 1234.50."],
      [8, "amount is zero."],
      [9, "transaction_id is empty."],
      [10, "account_id is empty."],
      [11, "reported_balance “x” is not like 1234.50."],
      [12, "transaction_id 695247 was used on line 2 already."],
      [14, "1 column where the header names 10."],
    ]);
  });

  test("needs a header that names its columns", async () => {
    await expect(rows(fileOf("a,b", "1,2"))).rejects.toThrow(
      "Not found: transaction_id, account_id, date, direction, amount.",
    );
    await expect(rows(fileOf(""))).rejects.toThrow("This file is empty.");
  });

  test("is not guessed at where a column is named twice", async () => {
    await expect(rows(fileOf(`${HEADER},Amount`, `${GOOD},1.00`))).rejects.toThrow("Named twice: amount.");
    expect(await rows(fileOf(`${HEADER},,`, `${GOOD},,`))).toHaveLength(1);
  });
});

test("a preview counts the whole file", async () => {
  const file = fileOf(HEADER, GOOD, "1,7,1993-03-01,debit,,0.10,,,,", "broken");

  const shown = await preview(file, { signal: new AbortController().signal });

  expect(shown).toMatchObject({
    name: "statement.csv",
    rows: 2,
    accounts: 2,
    firstDay: "1993-01-01",
    lastDay: "1993-03-01",
    credits: 70_000,
    debits: 10,
    broken: 1,
  });
  expect(shown.sample).toHaveLength(2);
});

/** A stream of single bytes: every cut that a network could make, in the middle of letters too. */
function streamOf(bytes: Uint8Array): ReadableStream<Uint8Array> {
  return new ReadableStream({
    start(controller) {
      for (const byte of bytes) controller.enqueue(new Uint8Array([byte]));
      controller.close();
    },
  });
}
