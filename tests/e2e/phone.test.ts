// What stands on the page can be read on any phone, whatever its figures and names are.

import type { Locator } from "@playwright/test";
import { expect, test } from "./demo.ts";

const HEADER = "transaction_id,account_id,date,direction,amount,category";
const WIDTHS = [320, 360, 390, 760, 1280];

test("no number, time, name or amount in a table is cut", async ({ demo, page }) => {
  const many = Array.from({ length: 120 }, (_, index) => `${index},7,1993-09-2${index % 10},credit,45307.00,Salary`);
  const large = ["l1,8,1993-01-01,credit,99999999999.99,", "l2,9,1993-01-01,debit,99999999999.99,statement_fee"];
  await demo.import({ name: "tables.csv", text: [HEADER, ...many, ...large].join("\n") });
  await demo.bank();
  await page.getByRole("button", { name: "Open an account" }).click();
  await page.getByLabel("Owner", { exact: true }).fill("Maximiliana Konstantinopolitanská-Neodrzahovalová");
  await page.getByLabel("Owner", { exact: true }).press("Enter");
  await page.getByRole("button", { name: "Freeze this account", exact: true }).click();
  await expect(page.getByText("Frozen", { exact: true })).toBeVisible();
  await demo.account("7");
  await demo.move("Transfer", "1", "8");
  await expect(page.getByText("It is on disk.")).toBeVisible();

  for (const width of WIDTHS) {
    await page.setViewportSize({ width, height: 800 });
    for (const account of ["7", "8", "9", "1001"]) {
      await demo.account(account);
      await expect(page.locator(".history tr[data-index]").first()).toBeVisible();
      expect(await cutIn(page.locator(".history")), `account ${account}, ${width}`).toEqual([]);
    }
    await demo.bank();
    await expect(page.locator(".accounts tr[data-index]")).toHaveCount(4);
    expect(await cutIn(page.locator(".accounts table")), `accounts, ${width}`).toEqual([]);
  }
});

test("forms, a dialog and the replay stay within their panels on a small phone", async ({ demo, page }) => {
  await page.setViewportSize({ width: 320, height: 700 });
  await demo.import({ name: "one.csv", text: `${HEADER}\n1,7,1993-01-01,credit,100.00,` });
  await demo.account("7");
  await page.getByRole("button", { name: "Replay event by event" }).click();
  await expect(page.getByRole("heading", { name: /^Event 2:/ })).toBeVisible();
  await demo.move("Transfer", "1", "8");
  await expect(page.getByText("There is no account 8 in this bank.")).toBeVisible();
  expect(await outside(page.locator(".panel"))).toEqual([]);

  await demo.bank();
  await page.getByRole("button", { name: "Open an account" }).click();
  await page.getByRole("button", { name: "Open", exact: true }).click();
  await expect(page.getByText("Say whose account it is.")).toBeVisible();
  expect(await outside(page.getByRole("dialog"))).toEqual([]);
});

test("the sum of a file stays within its panel at any width", async ({ demo, page }) => {
  await demo.choose({ name: "sum.csv", text: `${HEADER}\n1,7,1993-01-01,credit,99999999999.99,` });

  for (const width of [...WIDTHS, 600, 900, 1000]) {
    await page.setViewportSize({ width, height: 800 });
    expect(await outside(page.locator(".preview-facts")), `${width}`).toEqual([]);
  }
});

/** What reaches over the edge of the panels that it stands in. */
function outside(panels: Locator): Promise<string[]> {
  return panels.evaluateAll((elements) =>
    elements.flatMap((panel) => {
      const edge = panel.getBoundingClientRect().right;
      return [...panel.querySelectorAll("input, select, button, data, p, pre")]
        .filter((inner) => inner.getBoundingClientRect().right > edge)
        .map(({ outerHTML }) => outerHTML);
    }),
  );
}

/** The texts inside that are wider than the element that holds them. */
function cutIn(place: Locator): Promise<string[]> {
  return place
    .locator("th, td, td *")
    .evaluateAll((elements) =>
      elements
        .filter(({ clientWidth, scrollWidth }) => clientWidth > 0 && scrollWidth > clientWidth)
        .map(({ textContent, clientWidth, scrollWidth }) => `${textContent}: ${scrollWidth} in ${clientWidth}`),
    );
}
