// From an empty ledger through the four steps.

import { Demo, expect, test } from "./demo.ts";

test("an empty ledger offers two sizes, and four things to try once it is filled", async ({ demo, page, context }) => {
  test.setTimeout(180_000);
  await expect(page.getByRole("main").getByRole("button")).toHaveText([
    "Try with a sample bank",
    "Try with a million events",
  ]);

  await page.getByRole("button", { name: "Try with a sample bank" }).click();
  await expect(page.getByRole("heading", { name: "The whole bank" })).toBeVisible({ timeout: 60_000 });
  await expect(page.getByText("in 600 accounts, now")).toBeVisible();
  // The sample is the same every time.
  const total = "210,164,207.00\u00a0CZK";
  await expect(demo.total).toHaveText(total);

  await test.step("drag the day", async () => {
    await open("Drag the day");
    await expect(page.getByText("ledger.project(balances, { until, ...options })")).toBeVisible();
    await page.getByRole("button", { name: /^Show / }).click();
    await expect(page.getByRole("heading", { name: /^Accounts at the end of/ })).toBeVisible();
    await expect(demo.total).not.toHaveText(total);
    await page.getByLabel("Day that the balances are shown for").press("End");
    await expect(demo.total).toHaveText(total);
  });

  await test.step("open a second tab", async () => {
    await open("Open a second tab");
    await expect(page.getByText("useView(balances, {})")).toBeVisible();
    const opening = context.waitForEvent("page");
    await page.getByRole("link", { name: /^Open account \d+ in a new tab$/ }).click();
    const other = new Demo(await opening);
    await other.move("Deposit", "1000000");
    await expect(other.page.getByText("It is on disk.")).toBeVisible();
    await expect(demo.total).not.toHaveText(total);
    await other.page.close();
  });

  await test.step("break a rule", async () => {
    await open("Break a rule");
    await expect(page.getByText("amount > account.balance")).toBeVisible();
    await page.getByRole("button", { name: /^Withdraw / }).click();
    await expect(page.getByText(/Refused\. That is 100\.00.CZK more than the account holds\./)).toBeVisible();
  });

  await test.step("crash and reload", async () => {
    const before = await demo.total.innerText();
    await open("Crash and reload");
    await expect(page.getByText("ledger.execute(transfer")).toBeVisible();
    await page.getByRole("button", { name: "Kill it in mid-commit" }).click();
    await expect(page.getByText("Found after the reload")).toBeVisible({ timeout: 60_000 });
    const [acknowledged, found, lost, , halves] = await page.locator(".crash-report dd").allTextContents();
    expect(Number(acknowledged?.replaceAll(",", ""))).toBeGreaterThan(0);
    expect(found).toBe(acknowledged);
    expect([lost, halves]).toEqual(["0", "0"]);
    await expect(demo.total).toHaveText(before);
  });

  async function open(step: string): Promise<void> {
    await page.getByRole("button", { name: step }).click();
  }
});

test("a sample that was interrupted is finished by asking for it", async ({ demo, page }) => {
  // So slow that there is something left, however late the reload comes.
  const session = await page.context().newCDPSession(page);
  await session.send("Emulation.setCPUThrottlingRate", { rate: 10 });
  await page.getByRole("button", { name: "Try with a sample bank" }).click();
  await page.waitForFunction(() => Number(document.querySelector("progress")?.value) > 500, undefined, { polling: 5 });
  await page.reload();
  await session.send("Emulation.setCPUThrottlingRate", { rate: 1 });

  await page.getByRole("button", { name: "Write the rest" }).click();
  await expect(page.getByText("in 600 accounts, now")).toBeVisible({ timeout: 60_000 });

  expect(await demo.figure("Events")).toBe(50_000);
});

test("a million events are written with rate and time left, cancelled, and gone on with", async ({ demo, page }) => {
  await page.getByRole("button", { name: "Try with a million events" }).click();
  await expect(page.getByRole("progressbar", { name: "Writing a million events" })).toBeVisible();
  await expect(page.getByText(/events\/s · .* left$/)).toBeVisible();
  const written = page.locator(".progress strong");
  await expect(async () => expect(numberOf(await written.innerText())).toBeGreaterThan(10_000)).toPass();

  await page.getByRole("button", { name: "Cancel" }).click();
  await expect(page.getByRole("heading", { name: "The whole bank" })).toBeVisible();
  const events = await demo.figure("Events");
  expect(events).toBeGreaterThan(10_000);
  expect(events).toBeLessThan(1_050_000);
  await demo.bank();
  await expect(page.getByRole("link", { name: /-r01$/ }).first()).toBeVisible();

  await page.getByRole("button", { name: "Write the rest" }).click();
  await expect(async () => expect(numberOf(await written.innerText())).toBeGreaterThan(events)).toPass();
  await page.reload();
  await expect(page.getByRole("heading", { name: "The whole bank" })).toBeVisible();
  expect(await demo.figure("Events")).toBeGreaterThan(events);
});

test("a million events give 21 times the sample, now, as of a day and rebuilt @slow", async ({ demo, page }) => {
  test.setTimeout(1_800_000);
  const wait = { timeout: 900_000 };
  await page.getByRole("button", { name: "Try with a million events" }).click();
  await expect(page.getByText("in 12,600 accounts, now")).toBeVisible(wait);
  await expect(demo.total).toHaveText("4,413,448,347.00\u00a0CZK");

  await page.getByLabel("Balances as of the end of").fill("2024-08-15");
  await expect(page.getByText("in 6,468 accounts, at the end of 15 Aug 2024")).toBeVisible(wait);
  await expect(demo.total).toHaveText("415,433,235.00\u00a0CZK");

  expect(await demo.figure("Events")).toBe(1_050_000);
  await page.getByRole("button", { name: "Rebuild Balances" }).click();
  await expect(page.getByText(/^Rebuilt from 1,050,000 events/)).toBeVisible(wait);
  await demo.bank();
  await expect(demo.total).toHaveText("4,413,448,347.00\u00a0CZK");
});

function numberOf(text: string): number {
  return Number(text.replaceAll(",", ""));
}
