import { openStore } from "everfold";
import { afterEach, beforeEach, expect, test } from "vitest";
import { balances } from "../../../www/src/balances.ts";
import { dailyTotals } from "../../../www/src/daily-totals.ts";
import { importStatement } from "../../../www/src/import/import-statement.ts";
import { account, transfer } from "../../../www/src/ledger.ts";

const HEADER = "transaction_id,account_id,date,direction,amount,category";
const fileOf = (...lines: string[]) => new File([[HEADER, ...lines].join("\n")], "statement.csv");
const openBank = () =>
  openStore({
    ...{ name: "import", storage: "memory" },
    ...{ aggregates: [account], decisions: [transfer], projections: [balances, dailyTotals] },
  });

let bank: Awaited<ReturnType<typeof openBank>>;
beforeEach(async () => {
  bank = await openBank();
});
afterEach(() => bank.close());

const bring = (file: File) =>
  importStatement(bank, file, { signal: new AbortController().signal, onProgress: () => {} });

test("a row that is too large for the ledger is told by its line, and the rest is written", async () => {
  const done = await bring(
    fileOf(
      "1,7,1993-01-01,credit,1.00,salary",
      `2,7,1993-01-01,credit,1.00,${"x".repeat(300_000)}`,
      "3,7,1993-01-01,credit,1.00,salary",
    ),
  );

  expect(done).toMatchObject({ rows: 2, known: 0, accountsOpened: 1, broken: 1 });
  expect(done.problems).toEqual([{ line: 3, problem: "This row is larger than the ledger can hold." }]);
  expect((await bank.load(account, "7")).state.balance).toBe(200);
});

test("a row whose number stands for something else is told by its line", async () => {
  await bring(fileOf("1,7,1993-01-01,credit,1.00,salary"));

  const done = await bring(fileOf("1,7,1993-01-01,credit,2.00,salary", "2,7,1993-01-01,credit,1.00,salary"));

  expect(done).toMatchObject({ rows: 1, known: 0, accountsOpened: 0, broken: 1 });
  expect(done.problems).toEqual([{ line: 2, problem: "The ledger holds this transaction_id with other content." }]);
});

test("one file brought twice at once is written once, and counted so", async () => {
  const lines = Array.from({ length: 100 }, (_, id) => `${id},${id % 10},1993-01-01,credit,1.00,salary`);

  const done = await Promise.all([bring(fileOf(...lines)), bring(fileOf(...lines))]);

  expect(done.map(({ rows, known, accountsOpened }) => [rows - known, known, accountsOpened])).toEqual([
    [100, 0, 10],
    [0, 100, 0],
  ]);
});
