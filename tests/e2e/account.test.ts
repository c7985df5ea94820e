// One account: what it refuses and says, what it does, and how it was.

import { expect, test } from "./demo.ts";

const HEADER = "transaction_id,account_id,date,direction,amount,category";
const STATEMENT = {
  name: "account.csv",
  text: [
    HEADER,
    "1,7,1993-01-01,credit,700.00,salary",
    "2,8,1993-01-01,credit,50.00,",
    "3,7,1993-02-01,debit,200.00,household",
    "4,7,1993-03-01,credit,1000.00,salary",
  ].join("\n"),
};

test.beforeEach(async ({ demo }) => {
  await demo.import(STATEMENT);
  await demo.account("7");
});

test("what the rules refuse is said beside the field, and nothing is written", async ({ demo, page }) => {
  const amount = page.getByLabel("Amount, CZK");
  const refusals = [
    ["Withdraw", "1500.01", undefined, amount, "That is 0.01\u00a0CZK more than the account holds."],
    ["Withdraw", "0", undefined, amount, "Enter an amount above zero."],
    ["Deposit", "-5", undefined, amount, "Enter an amount above zero."],
    ["Deposit", "ten", undefined, amount, "Enter an amount like 250 or 1,250.50."],
    ["Transfer", "1", "99", page.getByLabel("To account"), "There is no account 99 in this bank."],
    [
      "Transfer",
      "1",
      "7",
      page.getByLabel("To account"),
      "Choose another account: this is the one you are paying from.",
    ],
    ["Transfer", "2000", "8", amount, "That is 500.00\u00a0CZK more than the account holds."],
  ] as const;

  for (const [kind, sum, to, field, message] of refusals) {
    await demo.move(kind, sum, to);
    await expect(field).toHaveAccessibleDescription(message);
    await expect(field).toHaveAttribute("aria-invalid", "true");
  }

  await expect(demo.balance).toHaveText("1,500.00\u00a0CZK");
  expect(await demo.figure("Events")).toBe(6);
});

test("a frozen account moves no money until it is unfrozen", async ({ demo, page }) => {
  await page.getByRole("button", { name: "Freeze this account", exact: true }).click();
  await expect(page.getByText("Frozen", { exact: true })).toBeVisible();

  await demo.move("Withdraw", "1");
  await expect(page.getByRole("alert")).toHaveText("This account is frozen. Unfreeze it to move money.");
  await demo.account("8");
  await demo.move("Transfer", "1", "7");
  await expect(page.getByLabel("To account")).toHaveAccessibleDescription("Account 7 is frozen and takes no money.");
  await demo.account("7");
  await page.getByRole("button", { name: "Unfreeze this account", exact: true }).click();
  await demo.move("Withdraw", "1");

  await expect(demo.balance).toHaveText("1,499.00\u00a0CZK");
});

test("a transfer is seen on both accounts", async ({ demo, page }) => {
  await demo.move("Transfer", "250,50", "8");
  await expect(page.getByText("Sent 250.50\u00a0CZK. It is on disk.")).toBeVisible();

  await expect(demo.balance).toHaveText("1,249.50\u00a0CZK");
  await expect(page.getByRole("cell", { name: "Sent to 8" })).toBeVisible();
  await demo.account("8");
  await expect(demo.balance).toHaveText("300.50\u00a0CZK");
  await expect(page.getByRole("cell", { name: "Received from 7" })).toBeVisible();
});

test("the slider shows the account after any of its events", async ({ demo, page }) => {
  const slider = page.getByLabel("Event after which the account is shown");
  const after = [
    ["1", "0.00\u00a0CZK", "after event 1 of 4, 1 Jan 1993"],
    ["2", "700.00\u00a0CZK", "after event 2 of 4, 1 Jan 1993"],
    ["3", "500.00\u00a0CZK", "after event 3 of 4, 1 Feb 1993"],
  ] as const;

  for (const [version, balance, words] of after) {
    await slider.fill(version);
    await expect(page.getByText(words)).toBeVisible();
    await expect(demo.balance).toHaveText(balance);
  }

  await slider.fill("4");
  await expect(page.getByText("now, after 4 events")).toBeVisible();
  await page.getByRole("button", { name: "Show the account after event 2" }).click();
  await expect(demo.balance).toHaveText("700.00\u00a0CZK");
  await page.getByRole("button", { name: "Back to now" }).click();
  await expect(demo.balance).toHaveText("1,500.00\u00a0CZK");
});

test("the chart of an account with one day in it names that day, once", async ({ demo, page }) => {
  await page.addInitScript(() => {
    const drawn: string[] = [];
    Object.assign(globalThis, { drawn });
    const { clearRect, fillText } = CanvasRenderingContext2D.prototype;
    CanvasRenderingContext2D.prototype.clearRect = function (...place) {
      drawn.length = 0;
      return clearRect.apply(this, place);
    };
    CanvasRenderingContext2D.prototype.fillText = function (text, ...place) {
      drawn.push(text);
      return fillText.call(this, text, ...place);
    };
  });
  await page.reload();
  await demo.account("8");
  const days = () =>
    page.evaluate(() => (globalThis as unknown as { drawn: string[] }).drawn.filter((text) => /\d{4}$/.test(text)));

  await expect(page.getByRole("img", { name: /^Balance from/ })).toBeVisible();
  await expect.poll(days).toEqual(["1 Jan 1993"]);
});

test("a replay shows each event, the state after it and what it changed, by button and by key", async ({
  demo,
  page,
}) => {
  await page.getByRole("button", { name: "Replay event by event" }).click();
  const replay = page.getByRole("region", { name: "Replay" });
  const [previous, next] = [
    replay.getByRole("button", { name: "Previous" }),
    replay.getByRole("button", { name: "Next" }),
  ];
  const after = replay.getByRole("region", { name: "State after it" });
  const patch = replay.getByRole("region", { name: "Patch" });

  await expect(replay.getByRole("heading", { name: "Event 4: Deposit" })).toBeVisible();
  await expect(next).toHaveAttribute("aria-disabled", "true");
  await previous.click();
  await expect(replay.getByRole("heading", { name: "Event 3: Withdrawal" })).toBeVisible();
  await expect(replay.getByRole("region", { name: "Event" }).locator("pre")).toContainText('"amount": 20000');
  await expect(after.getByRole("listitem")).toHaveText([
    "opened: true",
    'owner: ""',
    "±balance: 50000replaced",
    "frozen: false",
  ]);
  await expect(patch.getByRole("listitem")).toHaveText(["±replaced /balancewas 70000is 50000"]);
  await expect(demo.balance).toHaveText("500.00\u00a0CZK");

  await previous.press("ArrowLeft");
  await expect(replay.getByText("2 of 4")).toBeVisible();
  await previous.press("Home");
  await expect(replay.getByRole("heading", { name: "Event 1: Account opened" })).toBeVisible();
  await expect(patch.getByRole("listitem")).toHaveText(["±replaced /openedwas falseis true"]);
  await previous.press("ArrowLeft");
  await expect(previous).toBeFocused();
  await expect(replay.getByText("1 of 4")).toBeVisible();
  await next.press("ArrowRight");
  await expect(replay.getByText("2 of 4")).toBeVisible();
  await page.getByLabel("Event after which the account is shown").fill("3");
  await expect(replay.getByText("3 of 4")).toBeVisible();
  await next.press("End");
  await expect(page.getByText("now, after 4 events")).toBeVisible();
});

test("a replay finds the first event by which something came about", async ({ demo, page }) => {
  await page.getByRole("button", { name: "Freeze this account", exact: true }).click();
  await page.getByRole("button", { name: "Unfreeze this account", exact: true }).click();
  await page.getByRole("button", { name: "Freeze this account", exact: true }).click();
  await expect(page.getByText("now, after 7 events")).toBeVisible();
  await page.getByRole("button", { name: "Replay event by event" }).click();
  const replay = page.getByRole("region", { name: "Replay" });
  const [when, amount] = [replay.getByLabel("Find first when"), replay.getByLabel("Amount to look for, CZK")];

  await amount.fill("600");
  await amount.press("Enter");
  await expect(replay.getByRole("status")).toHaveText(
    "The balance fell below 600.00\u00a0CZK first by event 3, 1 Feb 1993. It left 500.00\u00a0CZK.",
  );
  await expect(replay.getByRole("heading", { name: "Event 3: Withdrawal" })).toBeVisible();
  await when.selectOption("the balance rose above");
  await amount.fill("2000");
  await replay.getByRole("button", { name: "Find" }).click();
  await expect(replay.getByRole("status")).toHaveText("Never: not once the balance rose above 2,000.00\u00a0CZK.");
  await amount.fill("much");
  await amount.press("Enter");
  await expect(amount).toHaveAccessibleDescription("Enter an amount like 250 or 1,250.50.");
  await when.selectOption("the account was frozen");
  await replay.getByRole("button", { name: "Find" }).click();
  await expect(replay.getByRole("status")).toContainText("The account was frozen first by event 5,");
  await expect(replay.getByRole("region", { name: "Patch" }).getByRole("listitem")).toHaveText([
    "±replaced /frozenwas falseis true",
  ]);
  await expect(demo.balance).toHaveText("1,500.00\u00a0CZK");
});

test("an account is opened in a name and found by it", async ({ demo, page }) => {
  await demo.bank();
  await page.getByRole("button", { name: "Open an account" }).click();
  await page.getByRole("button", { name: "Open", exact: true }).click();
  await expect(page.getByLabel("Owner", { exact: true })).toHaveAccessibleDescription("Say whose account it is.");
  await page.getByLabel("Owner", { exact: true }).fill("Žofie Dvořáková");
  await page.getByRole("button", { name: "Open", exact: true }).click();

  await expect(page.getByRole("heading", { name: "Žofie Dvořáková" })).toBeVisible();
  await demo.bank();
  await demo.search("dvořák", "1 of 3 accounts");
  await page.getByRole("link", { name: "1001" }).click();
  await expect(page).toHaveTitle("Žofie Dvořáková · Everfold Ledger");
});

test("an account that is not there says so", async ({ page }) => {
  await page.evaluate(() => {
    location.hash = "#/accounts/404";
  });

  await expect(page.getByRole("heading", { name: "No such account" })).toBeVisible();
});
