// The devices page with the real server behind it, as `npm start` shows it.

import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { AxeBuilder } from "@axe-core/playwright";
import type { Locator, Page } from "@playwright/test";
import { Demo, test as demoTest, expect, launch, listen } from "./demo.ts";
import { SyncServer } from "./sync-server.ts";

const test = demoTest.extend<{ server: SyncServer; devices: Devices }>({
  server: async ({ served }, use) => {
    const folder = await mkdtemp(join(tmpdir(), "everfold-server-"));
    const server = await SyncServer.start({ folder, site: served });
    await use(server);
    await server.stop();
    await rm(folder, { recursive: true, force: true });
  },
  serverUrl: async ({ server }, use) => use(server.url),
  devices: async ({ page, serverUrl }, use) => {
    await page.emulateMedia({ reducedMotion: "reduce" });
    await page.goto(`${serverUrl}#/devices`);
    await use(new Devices(page));
  },
});

/** The page as a person sees it. */
class Devices {
  readonly page: Page;
  readonly anna: Locator;
  readonly ben: Locator;
  readonly ladder: Locator;

  constructor(page: Page) {
    this.page = page;
    this.anna = page.getByRole("region", { name: "Anna’s phone" });
    this.ben = page.getByRole("region", { name: "Ben’s phone" });
    this.ladder = page.getByRole("region", { name: "The logs" });
  }

  /** Waits until both devices have so many commits, equal to the server's. */
  async equal(commits: number): Promise<void> {
    await expect(this.ladder.getByText(`${commits} commits`)).toBeVisible();
    await expect(this.ladder.getByText(/^Equal hashes/)).toBeVisible();
    await expect(this.ladder.getByText(/still to be sent/)).toHaveCount(0);
  }

  /** The hashes below the logs, from left to right. */
  hashes(): Promise<string[]> {
    return this.ladder.locator("tfoot code").allTextContents();
  }

  balance(device: Locator, account: string): Locator {
    return device.locator(".device-accounts label").filter({ hasText: account }).locator("data");
  }

  async turn(device: Locator, state: "online" | "offline"): Promise<void> {
    const button = device.getByRole("switch");
    if ((await button.getAttribute("aria-checked")) !== String(state === "online")) await button.click();
    await expect(button).toHaveAttribute("aria-checked", String(state === "online"));
  }

  async move(device: Locator, kind: "Deposit" | "Withdraw", amount: string): Promise<void> {
    await device.getByText(kind, { exact: true }).first().click();
    await device.getByLabel("Amount, CZK").fill(amount);
    await device.getByLabel("Amount, CZK").press("Enter");
    await expect(device.getByLabel("Amount, CZK")).toHaveValue("");
  }
}

test("a first visit has accounts on both devices, and equal hashes", async ({ devices }) => {
  await devices.equal(6);

  for (const device of [devices.anna, devices.ben]) {
    await expect(devices.balance(device, "Household")).toHaveText("12,000.00");
    await expect(device.getByText("Up to date")).toBeVisible();
  }
  expect(new Set(await devices.hashes()).size).toBe(1);
});

test("what one device does, the other shows; offline it is marked as pending until it is sent", async ({
  devices,
  page,
}) => {
  await devices.equal(6);
  await devices.turn(devices.anna, "offline");
  await devices.move(devices.anna, "Withdraw", "500");
  await expect(devices.anna.getByText("Pending", { exact: true })).toBeVisible();
  await expect(devices.anna.getByText("Offline, 1 to send")).toBeVisible();
  await expect(devices.balance(devices.anna, "Household")).toHaveText("11,500.00");
  await expect(devices.balance(devices.ben, "Household")).toHaveText("12,000.00");

  await page.reload();
  await expect(devices.anna.getByText("Offline, 1 to send")).toBeVisible();
  await expect(devices.balance(devices.anna, "Household")).toHaveText("11,500.00");
  await devices.turn(devices.anna, "online");

  await devices.equal(7);
  await expect(devices.anna.getByText("Confirmed", { exact: true })).toBeAttached();
  await expect(devices.balance(devices.ben, "Household")).toHaveText("11,500.00");
});

test("the story ends with a refusal that is shown, equal hashes, and buttons that do what they say", async ({
  devices,
  page,
}) => {
  await devices.equal(6);
  await page.getByRole("button", { name: "Play the story" }).click();
  const story = page.getByRole("region", { name: "The story" });
  for (const [step, told] of [
    ["Go offline", /^Both phones are offline/],
    ["Anna pays", /^Anna withdrew/],
    ["Ben pays", /^Ben withdrew/],
    ["Ben comes back", /^Ben is online/],
    ["Anna comes back", /^Anna is online/],
  ] as const) {
    await story.getByRole("button", { name: step }).click();
    await expect(story.getByRole("status")).toHaveText(told);
  }
  await story.getByRole("button", { name: "Done" }).click();

  await devices.equal(7);
  expect(new Set(await devices.hashes()).size).toBe(1);
  const refusal = devices.anna.getByRole("article");
  await expect(refusal).toContainText("Refused");
  await expect(refusal).toContainText("Withdrew 9,000.00\u00a0CZK from Household");
  await expect(refusal).toContainText("That is 6,000.00\u00a0CZK more than the account holds.");
  await expect(refusal).toContainText("Household held 3,000.00\u00a0CZK");
  await expect(devices.ben.getByRole("article")).toHaveCount(0);

  await refusal.getByRole("button", { name: "Retry" }).click();
  await expect(refusal.getByRole("alert")).toHaveText(
    "Still refused: That is 6,000.00\u00a0CZK more than the account holds.",
  );
  await devices.move(devices.ben, "Deposit", "6000");
  await expect(devices.balance(devices.anna, "Household")).toHaveText("9,000.00");
  await refusal.getByRole("button", { name: "Retry" }).click();
  await expect(refusal).toHaveCount(0);
  await devices.equal(9);
  await expect(devices.balance(devices.ben, "Household")).toHaveText("0.00");
});

test("a story that is skipped leaves nobody offline", async ({ devices, page }) => {
  await devices.equal(6);
  await page.getByRole("button", { name: "Play the story" }).click();
  await page.getByRole("button", { name: "Go offline" }).click();
  await expect(devices.anna.getByRole("switch")).toHaveAttribute("aria-checked", "false");

  await page.getByRole("button", { name: "Skip the story" }).click();

  for (const device of [devices.anna, devices.ben]) {
    await expect(device.getByRole("switch")).toHaveAttribute("aria-checked", "true");
    await expect(device.getByText("Up to date")).toBeVisible();
  }
});

test("devices that are added catch up, and a browser elsewhere joins them", async ({
  devices,
  page,
  serverUrl,
  complaints,
}) => {
  await devices.equal(6);
  await page.getByRole("button", { name: "Add Anna’s laptop" }).click();
  await page.getByRole("button", { name: "Add Ben’s tablet" }).click();
  await expect(page.getByRole("region", { name: "Ben’s tablet" }).getByText("Up to date")).toBeVisible();
  await expect(devices.ladder.locator("tfoot code")).toHaveCount(5);
  await devices.equal(6);

  const profile = await mkdtemp(join(tmpdir(), "everfold-profile-"));
  const context = await launch(profile, serverUrl);
  listen(context, complaints);
  const elsewhere = new Devices(context.pages()[0] ?? (await context.newPage()));
  await elsewhere.page.goto(`${serverUrl}#/devices`);
  await elsewhere.equal(6);
  await elsewhere.move(elsewhere.ben, "Withdraw", "100");

  await devices.equal(7);
  await elsewhere.equal(7);
  expect(new Set([...(await devices.hashes()), ...(await elsewhere.hashes())]).size).toBe(1);
  await context.close();
  await rm(profile, { recursive: true, force: true, maxRetries: 5 });
});

test("starting over gives empty devices in another space", async ({ devices, page }) => {
  await devices.equal(6);
  await devices.turn(devices.anna, "offline");
  await devices.move(devices.anna, "Withdraw", "500");

  await page.getByRole("button", { name: "Start over with empty devices" }).click();
  await page.getByRole("dialog").getByRole("button", { name: "Start over" }).click();

  await devices.equal(6);
  await expect(devices.balance(devices.anna, "Household")).toHaveText("12,000.00");
});

test("when the server is gone the devices work on, and say so", async ({ devices, page, server, complaints }) => {
  await devices.equal(6);
  await server.stop();
  await devices.move(devices.ben, "Withdraw", "500");

  await expect(devices.ben.getByText(/1 to send/)).toBeVisible();
  await expect(devices.balance(devices.ben, "Household")).toHaveText("11,500.00");
  await expect(devices.ladder.getByText(/^The server does not answer/)).toBeVisible();
  // Of a server that is not there the browser complains by itself, as long as there is somebody who asks it.
  await page.close();
  complaints.splice(0, Number.POSITIVE_INFINITY, ...complaints.filter((line) => !line.includes("net::ERR")));
});

demoTest(
  "a host that only has files says what to run, and the rest of the demo is as it was",
  async ({ demo, page }) => {
    await page.getByRole("link", { name: "Devices", exact: true }).click();

    await expect(page.getByRole("heading", { name: "There is no sync server at this address" })).toBeVisible();
    await expect(page.getByText("npm start")).toBeVisible();
    await demo.bank();
    await expect(page.getByRole("button", { name: "Try with a sample bank" })).toBeVisible();
  },
);

test("the page keeps the rules of accessibility and fits a phone", async ({ devices, page }) => {
  await devices.equal(6);
  await page.getByRole("button", { name: "Play the story" }).click();
  const story = page.getByRole("region", { name: "The story" });
  const look = async (what: string): Promise<void> => {
    for (const colorScheme of ["light", "dark"] as const) {
      for (const width of [1280, 390]) {
        await page.emulateMedia({ colorScheme, reducedMotion: "reduce" });
        await page.setViewportSize({ width, height: 800 });
        const where = `${what}, ${colorScheme}, ${width}`;
        const { violations } = await new AxeBuilder({ page }).analyze();
        expect(
          violations.map(({ id, nodes }) => [id, nodes.map(({ target }) => target)]),
          where,
        ).toEqual([]);
        expect(await page.evaluate(() => document.documentElement.scrollWidth - innerWidth), where).toBeLessThanOrEqual(
          0,
        );
      }
    }
  };
  for (const step of ["Go offline", "Anna pays", "Ben pays"]) {
    await story.getByRole("button", { name: step }).click();
    await expect(story.getByRole("button", { name: step })).toHaveCount(0);
  }
  await look("pending");
  for (const step of ["Ben comes back", "Anna comes back"]) {
    await story.getByRole("button", { name: step }).click();
    await expect(story.getByRole("button", { name: step })).toHaveCount(0);
  }
  await page.getByRole("button", { name: "Add Anna’s laptop" }).click();
  await page.getByRole("button", { name: "Add Ben’s tablet" }).click();
  await expect(page.getByRole("region", { name: "Ben’s tablet" }).getByText("Up to date")).toBeVisible();
  await look("refused");
});

test("a keyboard is enough", async ({ devices, page }) => {
  await devices.equal(6);
  await devices.anna.getByRole("switch").focus();
  await page.keyboard.press("Space");
  await expect(devices.anna.getByText(/^Offline/).last()).toBeVisible();
  await page.keyboard.press("Space");
  await devices.anna.getByRole("radio", { name: /^Groceries/ }).focus();
  await page.keyboard.press("ArrowDown");
  await expect(devices.anna.getByRole("radio", { name: /^Holiday/ })).toBeChecked();
  await page.keyboard.press("Tab");
  await page.keyboard.press("ArrowLeft");
  await expect(devices.anna.getByRole("radio", { name: "Deposit" })).toBeChecked();
  await page.keyboard.press("Tab");
  await page.keyboard.type("250");
  await page.keyboard.press("Enter");

  await devices.equal(7);
  await expect(devices.balance(devices.ben, "Holiday")).toHaveText("30,250.00");
});

test("the other pages stay on this device", async ({ devices, page }) => {
  await devices.equal(6);

  await new Demo(page).bank();

  await expect(page.getByText("Everything here is kept on this device only.")).toBeVisible();
  await expect(page.getByRole("button", { name: "Try with a sample bank" })).toBeVisible();
});
