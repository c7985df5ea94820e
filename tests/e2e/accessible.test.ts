// Every page, light and dark, wide and narrow: by the rules of axe, by keyboard, without scrolling sideways.

import { AxeBuilder } from "@axe-core/playwright";
import { expect, test } from "./demo.ts";

const STATEMENT = {
  name: "pages.csv",
  text: [
    "transaction_id,account_id,date,direction,amount,category",
    ...Array.from({ length: 120 }, (_, index) => {
      const day = `1993-0${1 + (index % 9)}-1${index % 10}`;
      return `${index},${2000 + (index % 60)},${day},${index % 3 === 0 ? "debit" : "credit"},${index + 1}.50,interest`;
    }),
    "broken",
  ].join("\n"),
};

const PAGES = ["#/", "#/accounts/2003", "#/accounts/none", "#/import", "#/storage", "#/nowhere"];

test("pages keep the rules of accessibility and fit a phone", async ({ demo, page }) => {
  await demo.import(STATEMENT);

  for (const colorScheme of ["light", "dark"] as const) {
    for (const viewport of [
      { width: 1280, height: 800 },
      { width: 390, height: 844 },
    ]) {
      await page.emulateMedia({ colorScheme, reducedMotion: "reduce" });
      await page.setViewportSize(viewport);
      for (const hash of PAGES) {
        await page.evaluate((wanted) => {
          location.hash = wanted;
        }, hash);
        await expect(page.getByRole("heading", { level: 1 })).toBeVisible();
        await expect(
          page.getByText("…", { exact: false }).filter({ hasText: /^(Reading|Counting|Opening)/ }),
        ).toHaveCount(0);
        const where = `${hash}, ${colorScheme}, ${viewport.width}`;
        const { violations } = await new AxeBuilder({ page }).analyze();
        expect(
          violations.map(({ id, nodes }) => [id, nodes.map(({ target }) => target)]),
          where,
        ).toEqual([]);
        const overflow = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
        expect(overflow, where).toBeLessThanOrEqual(0);
      }
    }
  }
});

test("a replay keeps the rules of accessibility and fits a phone", async ({ demo, page }) => {
  await demo.import(STATEMENT);
  await demo.account("2003");
  await page.getByRole("button", { name: "Replay event by event" }).click();
  await page.getByLabel("Find first when").selectOption("the balance rose above");
  await page.getByLabel("Amount to look for, CZK").fill("1000000");
  await page.getByLabel("Amount to look for, CZK").press("Enter");
  await expect(page.getByText(/^Never/)).toBeVisible();

  for (const colorScheme of ["light", "dark"] as const) {
    for (const width of [1280, 390]) {
      await page.emulateMedia({ colorScheme, reducedMotion: "reduce" });
      await page.setViewportSize({ width, height: 800 });
      const { violations } = await new AxeBuilder({ page }).analyze();
      const where = `${colorScheme}, ${width}`;
      expect(
        violations.map(({ id, nodes }) => [id, nodes.map(({ target }) => target)]),
        where,
      ).toEqual([]);
      expect(await page.evaluate(() => document.documentElement.scrollWidth - innerWidth), where).toBeLessThanOrEqual(
        0,
      );
    }
  }
});

test("every step of the tour keeps the rules of accessibility", async ({ demo, page }) => {
  await page.emulateMedia({ reducedMotion: "reduce" });
  await demo.import(STATEMENT);
  await demo.bank();

  for (const step of ["Drag the day", "Open a second tab", "Break a rule", "Crash and reload"]) {
    await page.getByRole("button", { name: step }).click();
    await expect(page.getByText(/^From/)).toBeVisible();
    const { violations } = await new AxeBuilder({ page }).analyze();
    expect(
      violations.map(({ id, nodes }) => [id, nodes.map(({ target }) => target)]),
      step,
    ).toEqual([]);
  }
});

test("a keyboard is enough", async ({ demo, page }) => {
  await demo.import(STATEMENT);
  await demo.bank();
  await page.reload();
  await expect(page.locator("tr[data-index] a").first()).toBeVisible();

  await page.keyboard.press("Tab");
  await expect(page.getByRole("button", { name: "Skip to the content" })).toBeFocused();
  await page.keyboard.press("Enter");
  await expect(page.getByRole("main")).toBeFocused();

  await page.getByRole("button", { name: "Balance, CZK" }).focus();
  await page.keyboard.press("Enter");
  await expect(page.getByRole("columnheader", { name: "Balance, CZK" })).toHaveAttribute("aria-sort", "descending");

  await page.locator("tr[data-index] a").first().focus();
  await page.keyboard.press("End");
  await expect(page.locator("tr[data-index='59'] a")).toBeFocused();
  await page.keyboard.press("ArrowUp");
  await expect(page.locator("tr[data-index='58'] a")).toBeFocused();
  await page.keyboard.press("Enter");
  await expect(page.getByRole("heading", { level: 1 })).toBeFocused();
});

test("the focus stays on a button that has nothing more to do", async ({ demo, page }) => {
  await demo.import(STATEMENT);
  const back = page.getByRole("button", { name: "Back to now" });

  await demo.bank();
  await page.getByLabel("Day that the balances are shown for").press("Home");
  await expect(page.getByRole("heading", { name: /^Accounts at the end of/ })).toBeVisible();
  await back.press("Enter");
  await expect(page.getByRole("heading", { name: "Accounts", exact: true })).toBeVisible();
  await expect(back).toBeFocused();

  await demo.account("2003");
  await page.getByLabel("Event after which the account is shown").press("Home");
  await expect(page.getByText(/^after event 1 of/)).toBeVisible();
  await back.press("Enter");
  await expect(page.getByText(/^now, after/)).toBeVisible();
  await expect(back).toBeFocused();
});
