// The real bank file, imported, read back, reloaded, offline, imported again.

import type { Page } from "@playwright/test";
import { bankFile, skipWithoutBankFile, statementOf } from "./bank-file.ts";
import { expect, test } from "./demo.ts";

const HEADER =
  "transaction_id,account_id,date,direction,operation,amount,reported_balance,category,counter_bank,counter_account";

test.describe("the bank file", () => {
  test.beforeEach(({}, info) => skipWithoutBankFile(info));

  test("is imported to the heller and stays after a reload, offline, and a second import", async ({
    demo,
    page,
    context,
  }) => {
    const statement = statementOf();
    await demo.choose(bankFile);
    await expect(page.getByRole("region", { name: "What is in the file" })).toContainText("49,102");

    await demo.begin();
    const first = await demo.imported();
    await demo.bank();

    expect(first).toEqual({ written: 49_102, known: 0, opened: 1_229, broken: 0 });
    await expect(demo.total).toHaveText("39,246,142.80\u00a0CZK");
    const balances = await demo.balances();
    expect(balances).toEqual(statement.balances);
    expect([...balances.values()].filter((balance) => balance < 0)).toHaveLength(1);

    await page.reload();
    await expect(demo.total).toHaveText("39,246,142.80\u00a0CZK");
    expect(await demo.figure("Events")).toBe(50_331);

    await context.setOffline(true);
    await page.reload();
    await demo.bank();
    await expect(demo.total).toHaveText("39,246,142.80\u00a0CZK");
    await context.setOffline(false);

    expect(await demo.import(bankFile)).toEqual({ written: 0, known: 49_102, opened: 0, broken: 0 });
    expect(await demo.figure("Events")).toBe(50_331);
  });

  test("shows the bank as of any day, and rebuilds to the same balances", async ({ demo, page }) => {
    await demo.import(bankFile);
    await demo.bank();

    for (const day of ["1993-01-01", "1993-06-30", "1994-03-30"]) {
      const { balances, total } = statementOf(day);
      await page.getByLabel("Balances as of the end of").fill(day);
      await expect(demo.total).toHaveAttribute("value", String(total));
      expect(await demo.balances()).toEqual(balances);
    }

    // Dragged, it ends on the day where it was left, whatever was folded on the way.
    const slider = page.getByLabel("Day that the balances are shown for");
    for (let index = 20; index <= 200; index += 6) await slider.fill(String(index));
    await expect(slider).toHaveAttribute("aria-valuetext", "20 Jul 1993");
    const left = statementOf("1993-07-20");
    await expect(demo.total).toHaveAttribute("value", String(left.total));
    expect(await demo.balances()).toEqual(left.balances);

    await page.getByRole("link", { name: "Storage", exact: true }).click();
    await page.getByRole("button", { name: "Rebuild Balances" }).click();
    await expect(page.getByText(/^Rebuilt from 50,331 events/)).toBeVisible();
    await demo.bank();
    expect(await demo.balances()).toEqual(statementOf().balances);
  });

  test("goes on after a cancel where it was", async ({ demo, page }) => {
    await demo.choose(bankFile);
    await demo.begin();
    // Inside the page: the import may be done before a click from outside arrives.
    await page.waitForFunction(
      () => {
        const rows = Number(document.querySelector(".progress strong")?.textContent?.replaceAll(",", ""));
        const button = [...document.querySelectorAll("button")].find(({ textContent }) => textContent === "Cancel");
        if (rows > 1_000) button?.click();
        return rows > 1_000;
      },
      undefined,
      { polling: 5 },
    );
    await expect(page.getByRole("heading", { name: /^Cancelled: / })).toBeVisible();
    const cancelled = await page
      .getByRole("region", { name: "What became of the import" })
      .locator("dd")
      .allTextContents();
    const written = Number(cancelled[0]?.replaceAll(",", ""));
    await page.getByRole("button", { name: "Import another file" }).click();
    const second = await demo.import(bankFile);

    expect(written).toBeGreaterThan(1_000);
    expect(second.known).toBeGreaterThanOrEqual(written);
    expect(second.known + second.written).toBe(49_102);
    expect(await demo.figure("Events")).toBe(50_331);
  });
});

test("a rebuild that is paused goes on, and one that is cancelled leaves the balances as they were", async ({
  demo,
  page,
}) => {
  await page.getByRole("button", { name: "Try with a sample bank" }).click();
  await expect(page.getByText("in 600 accounts, now")).toBeVisible({ timeout: 60_000 });
  const total = await demo.total.innerText();
  await page.getByRole("link", { name: "Storage", exact: true }).click();
  await expect(page.getByRole("button", { name: "Rebuild Balances" })).toBeVisible();

  await press(page, "Rebuild Balances", "Pause the rebuild of Balances");
  await expect(page.getByText("Paused. Readers keep the old rows.")).toBeVisible();
  await expect(page.getByRole("progressbar", { name: "Rebuilding Balances" })).toBeVisible();
  await press(page, "Resume the rebuild of Balances");
  await expect(page.getByText(/^Rebuilt from 50,000 events/)).toBeVisible();

  await press(page, "Rebuild Balances", "Pause the rebuild of Balances");
  await expect(page.getByText("Paused. Readers keep the old rows.")).toBeVisible();
  await press(page, "Cancel the rebuild of Balances");
  await expect(page.getByText("Cancelled. The rows are as they were.")).toBeVisible();
  await demo.bank();

  await expect(demo.total).toHaveText(total);
});

test("broken lines are listed by number and everything else is imported", async ({ demo, page }) => {
  const lines = [
    HEADER,
    "1,7,1993-01-01,credit,cash_deposit,700.00,700.00,,,",
    "2,7,1993-02-30,credit,cash_deposit,1.00,,,,",
    '3,7,1993-01-02,debit,cash_withdrawal,0.10,,"open,,',
    "4,7,1993-01-02,debit,cash_withdrawal,0.1x,,,,",
    "5,8,1993-01-03",
    "6,8,1993-01-03,debit,cash_withdrawal,20.05,,,,",
    "1,7,1993-01-04,credit,cash_deposit,5.00,,,,",
  ];
  await demo.choose({ name: "broken.csv", text: lines.join("\r\n") });
  const problems = page.getByRole("region", { name: "Lines not understood" });

  await expect(problems.getByRole("listitem")).toHaveText([
    /^Line 3.*1993-02-30/,
    /^Line 4.*quotation mark/,
    /^Line 5.*0\.1x/,
    /^Line 6.*3 columns where the header names 10/,
    /^Line 8.*used on line 2/,
  ]);
  await demo.begin();
  await expect(problems.getByRole("listitem")).toHaveCount(5);
  const figures = await demo.imported();
  await demo.bank();

  expect(figures).toEqual({ written: 2, known: 0, opened: 2, broken: 5 });
  expect(await demo.balances()).toEqual(
    new Map([
      ["7", 70_000],
      ["8", -2_005],
    ]),
  );
});

test("a transaction that the ledger knows with other content is listed, not overwritten", async ({ demo, page }) => {
  await demo.import({ name: "first.csv", text: `${HEADER}\n1,7,1993-01-01,credit,,700.00,,,,\n` });

  await demo.choose({
    name: "second.csv",
    text: `${HEADER}\n2,7,1993-01-02,credit,,1.00,,,,\n1,7,1993-01-01,credit,,900.00,,,,\n3,9,1993-01-03,credit,,2.00,,,,\n`,
  });
  await demo.begin();
  await expect(page.getByRole("region", { name: "Lines not understood" }).getByRole("listitem")).toHaveText([
    "Line 3The ledger holds this transaction_id with other content.",
  ]);
  const figures = await demo.imported();
  await demo.bank();

  expect(figures).toEqual({ written: 2, known: 0, opened: 1, broken: 1 });
  expect(await demo.balances()).toEqual(
    new Map([
      ["7", 70_100],
      ["9", 200],
    ]),
  );
});

test("a file that is no statement is refused with what is missing", async ({ page, demo }) => {
  await page.getByRole("link", { name: "Import", exact: true }).click();
  await page
    .locator("input[type=file]")
    .setInputFiles({ name: "shopping.csv", mimeType: "text/csv", buffer: Buffer.from("what,price\nbread,2\n") });

  await expect(page.getByRole("alert")).toContainText("shopping.csv: The first line must name the columns.");
  await expect(page.getByText("Choose a file")).toBeVisible();
  await demo.bank();
  await expect(page.getByRole("button", { name: "Try with a sample bank" })).toBeVisible();
});

test("a file is taken by drop", async ({ page, demo }) => {
  await page.getByRole("link", { name: "Import", exact: true }).click();
  const dropped = await page.evaluateHandle((text) => {
    const transfer = new DataTransfer();
    transfer.items.add(new File([text], "dropped.csv", { type: "text/csv" }));
    return transfer;
  }, `${HEADER}\n1,7,1993-01-01,credit,,700.00,,,,\n`);

  await page.locator(".file-choice").dispatchEvent("drop", { dataTransfer: dropped });
  await demo.begin();

  expect(await demo.imported()).toEqual({ written: 1, known: 0, opened: 1, broken: 0 });
});

test("a file that is dropped beside the place for it does not take that of the page", async ({ demo: { page } }) => {
  await page.getByRole("link", { name: "Import", exact: true }).click();
  await expect(page.getByText("or drop one here")).toBeVisible();

  const opened = await page.getByRole("heading", { level: 1 }).evaluate((heading) => {
    const init = { bubbles: true, cancelable: true, dataTransfer: new DataTransfer() };
    return ["dragover", "drop"].map((kind) => heading.dispatchEvent(new DragEvent(kind, init)));
  });

  expect(opened, "whether the browser does what it does with a file").toEqual([false, false]);
});

/** Presses buttons inside the page, one after the other: a rebuild may be done before a click from outside arrives. */
async function press(page: Page, ...names: readonly string[]): Promise<void> {
  await page.evaluate(async (wanted) => {
    for (const name of wanted) {
      const button = [...document.querySelectorAll("button")].find(({ textContent }) => textContent === name);
      if (!button) throw new Error(`there is no button ${name}`);
      button.click();
      await new Promise((resolve) => setTimeout(resolve));
    }
  }, names);
}
