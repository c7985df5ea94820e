// Two tabs on one ledger.

import { Demo, expect, test } from "./demo.ts";

const HEADER = "transaction_id,account_id,date,direction,amount";
const MOVES = 25;

test("two tabs that race on one account lose no update", async ({ demo, context, serverUrl }) => {
  await demo.import({
    name: "two.csv",
    text: `${HEADER}\n1,7,1993-01-01,credit,100.00\n2,8,1993-01-01,credit,100.00\n`,
  });
  const other = new Demo(await context.newPage());
  await other.page.goto(serverUrl);
  await Promise.all([demo.account("7"), other.account("7")]);

  await Promise.all([
    repeat(MOVES, () => moved(demo, "Deposit", "1")),
    repeat(MOVES, () => moved(other, "Transfer", "1.50", "8")),
  ]);

  const expected = `${100 + MOVES - 1.5 * MOVES}`;
  await expect(demo.balance).toHaveAttribute("value", String(Number(expected) * 100));
  await expect(other.balance).toHaveAttribute("value", String(Number(expected) * 100));
  await demo.account("8");
  await expect(demo.balance).toHaveAttribute("value", String((100 + 1.5 * MOVES) * 100));
  expect(await demo.figure("Events")).toBe(4 + MOVES + 2 * MOVES);
});

test("what one tab writes, the other shows", async ({ demo, context, serverUrl }) => {
  await demo.import({ name: "one.csv", text: `${HEADER}\n1,7,1993-01-01,credit,100.00\n` });
  await demo.bank();
  const other = new Demo(await context.newPage());
  await other.page.goto(serverUrl);
  await other.account("7");

  await moved(other, "Deposit", "23.45");

  await expect(demo.total).toHaveText("123.45\u00a0CZK");
  await demo.account("7");
  await expect(demo.page.locator("tr[data-index]")).toHaveCount(3);
});

test("a sample that one tab writes is not told as interrupted in the other", async ({ demo, context, serverUrl }) => {
  const other = new Demo(await context.newPage());
  await other.page.goto(serverUrl);
  await expect(other.page.getByRole("button", { name: "Try with a sample bank" })).toBeVisible();

  await demo.page.getByRole("button", { name: "Try with a sample bank" }).press("Enter");
  await expect(other.page.getByRole("heading", { name: "The whole bank" })).toBeVisible();
  await expect(other.page.getByText("in 600 accounts, now")).toBeVisible();
  await expect(other.total).toHaveText("210,164,207.00\u00a0CZK");

  await expect(other.page.getByText("The sample bank was interrupted.")).toHaveCount(0);
});

async function moved(demo: Demo, kind: "Deposit" | "Transfer", amount: string, to?: string): Promise<void> {
  await demo.move(kind, amount, to);
  await expect(demo.page.getByText("It is on disk.")).toBeVisible();
}

async function repeat(times: number, work: () => Promise<void>): Promise<void> {
  for (let time = 0; time < times; time += 1) await work();
}
