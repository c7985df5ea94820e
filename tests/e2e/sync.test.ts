// Devices in real browsers, the real server, and a network that fails between them.

import type { BrowserContext, Page } from "@playwright/test";
import { readBankFile, skipWithoutBankFile, statementOf } from "./bank-file.ts";
import { freezer } from "./frozen-tab.ts";
import type { Fate } from "./proxy.ts";
import { expect, openDevice, settled, standing, test } from "./sync-bank.ts";

const isPush = (asked: { readonly method: string; readonly path: string }) =>
  asked.method === "POST" && asked.path.endsWith("/push");

/** Opens the account and puts money into it. */
async function fill(page: Page, amount: number): Promise<void> {
  await page.evaluate(async (amount) => {
    const { account } = window.synced;
    await window.device.execute(account, "1", { type: "Open", data: { owner: "Household" } });
    const receipt = await window.device.execute(account, "1", { type: "Deposit", data: { amount } });
    await receipt.confirmed();
  }, amount);
}

/** Pays, without waiting for the server. */
function withdraw(page: Page, amount: number): Promise<string> {
  return page.evaluate(
    (amount) =>
      window.synced.codeOf(window.device.execute(window.synced.account, "1", { type: "Withdraw", data: { amount } })),
    amount,
  );
}

/** So many deposits of one heller, all on disk. */
function depositOften(page: Page, times: number): Promise<void> {
  return page.evaluate(async (times) => {
    const { account } = window.synced;
    const deposits = Array.from({ length: times }, () =>
      window.device.execute(account, "1", { type: "Deposit", data: { amount: 1 } }),
    );
    await Promise.all(deposits);
  }, times);
}

/** Another tab of the device, which has what the first one has. */
async function secondTab(context: BrowserContext): Promise<Page> {
  const tab = await context.newPage();
  await tab.goto("/");
  await openDevice(tab, "one");
  await expect.poll(async () => (await standing(tab)).commits).toBe(2);
  return tab;
}

test("two browsers that pay offline from one account end with one log, and what is not covered is refused", async ({
  page,
  context,
  other,
  browser2,
  server,
}) => {
  await openDevice(page, "one", { subject: "anna" });
  await fill(page, 1_000_00);
  await openDevice(other, "two", { subject: "ben" });
  await settled(other, 2);

  await context.setOffline(true);
  await browser2.setOffline(true);
  expect(await withdraw(page, 700_00)).toBe("done");
  expect(await withdraw(other, 800_00)).toBe("done");
  expect((await standing(page)).balances).toEqual([["1", 300_00]]);
  expect((await standing(other)).balances).toEqual([["1", 200_00]]);
  await browser2.setOffline(false);
  const second = await settled(other, 3);
  await context.setOffline(false);
  const first = await settled(page, 3);

  expect(first.balances).toEqual([["1", 200_00]]);
  expect(second.balances).toEqual(first.balances);
  expect(await server.current.head("bank")).toEqual({ number: 3, hash: first.hash });
  expect(second.hash).toBe(first.hash);
  expect(first.refusals).toMatchObject([{ kind: "refused", code: "refused" }]);
  expect(second.refusals).toEqual([]);
});

test("a push whose answer is lost takes effect once", async ({ page, network, server }) => {
  await openDevice(page, "one");
  await fill(page, 100_00);
  let lost = 0;
  network.fate = (asked): Fate => {
    if (!isPush(asked) || lost === 3) return {};
    lost += 1;
    return { answer: "lost" };
  };

  await depositOften(page, 10);
  const { number } = await server.current.head("bank");
  const here = await settled(page, 12);

  expect(lost).toBeGreaterThanOrEqual(1);
  expect(number).toBeLessThanOrEqual(12);
  expect(here.balances).toEqual([["1", 100_10]]);
  expect(here.events).toBe(12);
  expect(await server.current.head("bank")).toEqual({ number: 12, hash: here.hash });
});

test("a server killed in the middle of pushes and started again loses and doubles nothing", async ({
  page,
  other,
  network,
  server,
}) => {
  const [kills, commits] = [4, 3_000];
  await openDevice(page, "one", { batchSize: 200 });
  await fill(page, 100_00);
  await page.evaluate(() => window.device.sync.pause());
  await depositOften(page, commits);
  let killing: Promise<void> | undefined;
  let pushes = 0;
  network.fate = (asked) => {
    if (!isPush(asked) || killing) return {};
    pushes += 1;
    // Every second push goes through, so that there is something to lose.
    if (pushes % 2 === 0) killing = asked.forwarded.then(() => server.restart());
    return {};
  };

  await page.evaluate(() => window.device.sync.resume());
  for (let kill = 0; kill < kills; kill += 1) {
    await expect.poll(() => killing !== undefined).toBe(true);
    await killing;
    network.target = server.current.url;
    killing = undefined;
  }
  network.fate = () => ({});
  const here = await settled(page, commits + 2);
  await openDevice(other, "two", { subject: "ben" });
  const there = await settled(other, commits + 2);

  expect(here.balances).toEqual([["1", 100_00 + commits]]);
  expect(here.events).toBe(commits + 2);
  expect(there).toMatchObject({ balances: here.balances, events: here.events, hash: here.hash });
  expect(here.refusals).toEqual([]);
});

test.describe("a token", () => {
  test.use({ flags: ["--jwt-leeway", "0"] });

  test("that expires is renewed, and nothing waits for anybody", async ({ page, server }) => {
    await page.evaluate(async () => {
      const { open, askToken } = window.synced;
      const asked: boolean[] = [];
      Object.assign(window, { asked });
      window.device = await open("one", {
        // Short at first, as after a night in a drawer.
        token: ({ refresh }) => {
          asked.push(refresh);
          return askToken("anna", "bank", refresh ? 3_600 : 1);
        },
      });
    });
    const asked = () => page.evaluate(() => (window as unknown as { asked: boolean[] }).asked);
    await expect.poll(async () => (await standing(page)).state).toBe("idle");
    const short = await server.current.token("anna", "bank", 1);
    const status = async () =>
      (await fetch(new URL("v1/spaces/bank", server.current.url), { headers: { Authorization: `Bearer ${short}` } }))
        .status;
    await expect.poll(status).toBe(401);

    await fill(page, 100_00);

    await settled(page, 2);
    expect(await asked()).toContain(true);
  });

  test("that is refused pauses sync and keeps everything until there is another", async ({ page }) => {
    await page.evaluate(async () => {
      const { open, askToken } = window.synced;
      const phone = { signedIn: false };
      Object.assign(window, { phone });
      window.device = await open("one", {
        token: async () => {
          if (phone.signedIn) return askToken("anna", "bank");
          return "nobody";
        },
      });
      await window.device.execute(window.synced.account, "1", { type: "Open", data: { owner: "Household" } });
      await window.device.execute(window.synced.account, "1", { type: "Deposit", data: { amount: 5 } });
    });
    await expect.poll(async () => (await standing(page)).blockedBy).toBe("sync-unauthorized");
    expect(await standing(page)).toMatchObject({ state: "blocked", pending: 2, balances: [["1", 5]], refusals: [] });

    await page.evaluate(async () => {
      Object.assign((window as unknown as { phone: object }).phone, { signedIn: true });
      await window.device.sync.now();
    });

    expect(await settled(page, 2)).toMatchObject({ blockedBy: null, balances: [["1", 5]], refusals: [] });
  });
});

test("of two tabs one talks to the server, both write, and the other takes over when it goes", async ({
  page,
  context,
  network,
  server,
}) => {
  await openDevice(page, "one");
  await fill(page, 100_00);
  const follower = await secondTab(context);
  expect([(await standing(page)).leader, (await standing(follower)).leader]).toEqual([true, false]);

  await withdraw(follower, 1_00);
  await withdraw(page, 2_00);
  await settled(follower, 4);
  expect((await standing(page)).balances).toEqual([["1", 97_00]]);
  await page.close();

  await expect.poll(async () => (await standing(follower)).leader).toBe(true);
  await withdraw(follower, 3_00);
  const here = await settled(follower, 5);
  expect(here.balances).toEqual([["1", 94_00]]);
  expect(await server.current.head("bank")).toEqual({ number: 5, hash: here.hash });
  expect(network.seen.filter((line) => line.includes("/push")).length).toBeGreaterThanOrEqual(3);
});

test("a frozen leader is replaced, and what it would write when it wakes counts for nothing", async ({
  page,
  context,
  network,
  server,
}) => {
  const freeze = await freezer(page);
  await openDevice(page, "one");
  await fill(page, 100_00);
  const follower = await secondTab(context);

  // The leader has pushed, and is frozen before it has heard what became of it.
  let release = (): void => undefined;
  const until = new Promise<void>((resolve) => {
    release = resolve;
  });
  const held = new Promise<void>((resolve) => {
    let holding = false;
    network.fate = (asked) => {
      if (!isPush(asked) || holding) return {};
      holding = true;
      void asked.forwarded.then(resolve);
      return { until };
    };
  });
  await withdraw(page, 1_00);
  await held;
  const wake = await freeze();

  await expect.poll(async () => (await standing(follower)).leader, { timeout: 60_000 }).toBe(true);
  await withdraw(follower, 2_00);
  const before = await settled(follower, 4);
  release();
  await wake();
  await expect.poll(async () => (await standing(page)).leader).toBe(false);
  await withdraw(page, 4_00);
  const after = await settled(follower, 5);

  expect(before.balances).toEqual([["1", 97_00]]);
  expect(after).toMatchObject({ balances: [["1", 93_00]], events: 5, leader: true });
  expect(await settled(page, 5)).toMatchObject({ balances: after.balances, hash: after.hash, events: 5 });
  expect(await server.current.head("bank")).toEqual({ number: 5, hash: after.hash });
  const verified = await follower.evaluate(() => window.device.verify());
  expect(verified).toEqual({ ok: true, problems: [] });
});

test("the real bank file reaches an empty browser to the heller", async ({ page, other, server }, info) => {
  skipWithoutBankFile(info);
  test.setTimeout(600_000);
  await openDevice(page, "one", { batchSize: 2_000 });
  await page.evaluate((text) => window.synced.importText(window.device, text), readBankFile());
  const here = await settled(page, 50_331, 300_000);

  await openDevice(other, "two", { subject: "ben" });
  const there = await settled(other, 50_331, 180_000);

  expect(await server.current.head("bank")).toEqual({ number: 50_331, hash: here.hash });
  expect(there.hash).toBe(here.hash);
  expect(there.events).toBe(50_331);
  await expect.poll(async () => new Map((await standing(other)).balances)).toEqual(statementOf().balances);
});
