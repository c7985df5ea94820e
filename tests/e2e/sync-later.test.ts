// Sync turned on in a store that has worked without it, in real browsers and with the real server, also when the browser
// is killed in the middle.

import type { Page } from "@playwright/test";
import type { CuttingProxy } from "./proxy.ts";
import { expect, killedAt, settled, standing, test } from "./sync-bank.ts";

const accounts = 10;
/** Opens each account, then pays into one after the other. */
const history = 400;

const isPush = (line: string) => /^POST .*\/push/.test(line);

/** A device that has never heard of a server: what it did, and what it has then. */
async function workAlone(page: Page, name: string): Promise<[string, number][]> {
  return page.evaluate(
    async ([name, accounts, history]) => {
      const alone = await window.synced.open(name, { sync: false });
      const { account } = window.synced;
      for (let number = 0; number < accounts; number += 1) {
        await alone.execute(account, `a-${number}`, { type: "Open", data: { owner: "Household" } });
      }
      const deposit = (number: number) =>
        alone.execute(account, `a-${number % accounts}`, { type: "Deposit", data: { amount: number } });
      await Promise.all(Array.from({ length: history - accounts }, (_, number) => deposit(number + 1)));
      const { balances } = await window.synced.standing(alone);
      await alone.close();
      return balances;
    },
    [name, accounts, history] as const,
  );
}

/** Opens the device with sync, and waits for nothing. */
function turnOn(page: Page, name: string, options: { adopt?: "empty" | "rebase"; subject?: string } = {}) {
  return page.evaluate(
    async ([name, options]) => {
      window.device = await window.synced.open(name, { batchSize: 10, ...options });
    },
    [name, options] as const,
  );
}

/** What another device has done in the space before: the same accounts, and one of its own. */
async function fillSpace(other: Page): Promise<void> {
  await turnOn(other, "before", { subject: "ben" });
  await other.evaluate(async () => {
    const { account } = window.synced;
    for (const id of ["a-0", "b-0"]) {
      await window.device.execute(account, id, { type: "Open", data: { owner: "Ben" } });
      await window.device.execute(account, id, { type: "Deposit", data: { amount: 1_000 } });
    }
  });
  await settled(other, 4);
}

/** The balances of the device and of what was in the space. */
function together(before: readonly [string, number][]): Map<string, number> {
  const balances = new Map(before);
  return balances.set("a-0", (balances.get("a-0") ?? 0) + 1_000).set("b-0", 1_000);
}

/**
 * When to kill: the first time when the server has said what it has, and the history is about to be bound; then after
 * more and more pushes, of which every second one is not answered.
 */
function momentOf(network: CuttingProxy, kill: number): Promise<void> {
  return new Promise((resolve) => {
    let pushes = 0;
    let isOver = false;
    network.fate = ({ method, path, forwarded }) => {
      const pushing = isPush(`${method} ${path}`);
      // Nothing more goes through until it is killed, which may come late.
      if (isOver) return { forward: !pushing };
      isOver = kill === 1 ? path === "/v1/spaces/bank" : pushing && ++pushes === kill;
      if (!isOver) return {};
      void forwarded.then(resolve);
      return kill % 2 === 0 ? { answer: "lost" } : {};
    };
  });
}

test("a history goes into an empty space as it is, and a second device has the same", async ({
  page,
  other,
  server,
}) => {
  const before = await workAlone(page, "one");

  await turnOn(page, "one", { adopt: "empty" });
  const here = await settled(page, history);
  await turnOn(other, "two", { subject: "ben" });
  const there = await settled(other, history);

  expect(here).toMatchObject({ balances: before, events: history, refusals: [] });
  expect(there).toMatchObject({ balances: before, events: history, hash: here.hash });
  expect(await server.current.head("bank")).toEqual({ number: history, hash: here.hash });
});

test("a history goes on top of what a space has, and all that was in both is there once", async ({ page, other }) => {
  const before = await workAlone(page, "one");
  await fillSpace(other);

  await turnOn(page, "one", { adopt: "rebase" });
  const here = await settled(page, history + 4);
  const there = await settled(other, history + 4);

  expect(new Map(here.balances)).toEqual(together(before));
  expect(here).toMatchObject({ events: history + 4, refusals: [] });
  expect(there).toMatchObject({ balances: here.balances, events: here.events, hash: here.hash });
});

test("a history on both sides is left alone unless the app says what becomes of it", async ({
  page,
  other,
  server,
  network,
}) => {
  const before = await workAlone(page, "one");
  await fillSpace(other);
  const head = await server.current.head("bank");
  const pushes = () => network.seen.filter(isPush).length;
  const pushed = pushes();

  await turnOn(page, "one");
  await expect.poll(async () => (await standing(page)).blockedBy).toBe("sync-diverged");
  const written = await page.evaluate(() =>
    window.synced.codeOf(
      window.device.execute(window.synced.account, "a-1", { type: "Deposit", data: { amount: 1_000_000 } }),
    ),
  );
  const asked = await page.evaluate(() => window.synced.codeOf(window.device.sync.now()));

  expect([written, asked]).toEqual(["done", "sync-diverged"]);
  // It asks again by itself, the first times after a second at most.
  await expect.poll(async () => (await standing(page)).state).toBe("blocked");
  const here = await standing(page);
  expect(here).toMatchObject({ pending: 1, events: history + 1, refusals: [] });
  expect(new Map(here.balances)).toEqual(new Map(before).set("a-1", (new Map(before).get("a-1") ?? 0) + 1_000_000));
  expect(await server.current.head("bank")).toEqual(head);
  expect(pushes()).toBe(pushed);
});

for (const adopt of ["empty", "rebase"] as const) {
  test(`a browser killed again and again while its history is taken over (${adopt}) loses and doubles nothing`, async ({
    context,
    page,
    other,
    network,
    profile,
    serverUrl,
    server,
  }) => {
    const before = await workAlone(page, "one");
    if (adopt === "rebase") await fillSpace(other);
    const inSpace = adopt === "rebase" ? 4 : 0;

    const kills = [1, 2, 3, 4, 5, 6];
    const tab = await killedAt(kills, { context, profile, serverUrl, network }, async (tab, kill) => {
      await tab.goto(serverUrl);
      const moment = momentOf(network, kill);
      await turnOn(tab, "one", { adopt });
      await moment;
    });
    await tab.goto(serverUrl);
    await turnOn(tab, "one", { adopt });
    const here = await settled(tab, history + inSpace);
    const verified = await tab.evaluate(() => window.device.verify());
    await turnOn(other, "two", { subject: "ben" });
    const there = await settled(other, history + inSpace);
    await tab.context().close();

    expect(new Map(here.balances)).toEqual(adopt === "rebase" ? together(before) : new Map(before));
    expect(here).toMatchObject({ events: history + inSpace, refusals: [] });
    expect(there).toMatchObject({ balances: here.balances, events: here.events, hash: here.hash });
    expect(await server.current.head("bank")).toEqual({ number: history + inSpace, hash: here.hash });
    expect(verified).toEqual({ ok: true, problems: [] });
  });
}
