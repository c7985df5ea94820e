// The server comes back from an older backup while browsers are ahead of it: they take their logs back in IndexedDB and
// offer again what was lost, also if another tab slept meanwhile, or the browser is killed at that moment.

import type { Page } from "@playwright/test";
import { freezer } from "./frozen-tab.ts";
import { expect, killedAt, openDevice, settled, standing, test } from "./sync-bank.ts";

/** So many deposits of an amount, one after the other into each of some accounts. */
function deposits(page: Page, times: number, amount: number, accounts = 1): Promise<void> {
  return page.evaluate(
    async ([times, amount, accounts]) => {
      const { account } = window.synced;
      const deposit = (number: number) =>
        window.device.execute(account, `${number % accounts}`, { type: "Deposit", data: { amount } });
      await Promise.all(Array.from({ length: times }, (_, number) => deposit(number)));
    },
    [times, amount, accounts] as const,
  );
}

function openAccounts(page: Page, accounts: number): Promise<void> {
  return page.evaluate(async (accounts) => {
    for (let id = 0; id < accounts; id += 1) {
      await window.device.execute(window.synced.account, `${id}`, { type: "Open", data: { owner: "Household" } });
    }
  }, accounts);
}

declare global {
  interface Window {
    /** What the tab that slept reads first: balances, and the amounts of all deposits. */
    first: Promise<{ readonly loads: readonly number[]; readonly events: readonly number[] }>;
  }
}

const verified = (page: Page) => page.evaluate(() => window.device.verify());

test("browsers that are ahead of a restored server bring back what they did, each its own", async ({
  page,
  other,
  browser2,
  network,
  server,
}) => {
  await openDevice(page, "one");
  await openAccounts(page, 1);
  await deposits(page, 4, 1_00);
  await settled(page, 5);
  await server.backup("monday");
  await openDevice(other, "two", { subject: "ben" });
  await deposits(page, 300, 1);
  await settled(page, 305);
  await settled(other, 305);
  await deposits(other, 3, 10_00);
  await settled(other, 308);
  const before = await settled(page, 308);

  await browser2.setOffline(true);
  await server.restore("monday");
  network.target = server.current.url;
  const alone = await settled(page, 305);
  await browser2.setOffline(false);
  const here = await settled(page, 308);
  await expect.poll(async () => (await standing(other)).hash).toBe(here.hash);
  const there = await settled(other, 308);

  expect(alone.balances).toEqual([["0", 4_00 + 300]]);
  expect(alone.refusals.map(({ kind }) => kind)).toEqual(["orphaned", "orphaned", "orphaned"]);
  expect(here).toMatchObject({ balances: before.balances, events: 308, refusals: [] });
  expect(there).toMatchObject({ balances: here.balances, events: 308, hash: here.hash });
  expect(await server.current.head("bank")).toEqual({ number: 308, hash: here.hash });
  expect([await verified(page), await verified(other)]).toEqual(Array(2).fill({ ok: true, problems: [] }));
});

test("a tab that slept through it reads all of one log or all of the other when it wakes up", async ({
  page,
  context,
  other,
  network,
  server,
}) => {
  const [accounts, each] = [10, 120];
  const lost = accounts * each;
  await openDevice(other, "two", { subject: "ben" });
  await openAccounts(other, accounts);
  await settled(other, accounts);
  await server.backup("monday");
  await deposits(other, lost, 1, accounts);
  await settled(other, accounts + lost);
  await openDevice(page, "one");
  await settled(page, accounts + lost);
  const sleeper = await context.newPage();
  await sleeper.goto("/");
  const freeze = await freezer(sleeper);
  await openDevice(sleeper, "one");
  await expect.poll(async () => (await standing(sleeper)).commits).toBe(accounts + lost);
  // Reading, it gets to know segments, and keeps blocks of them.
  await sleeper.evaluate(() => window.device.load(window.synced.account, "3"));
  await sleeper.evaluate((accounts) => {
    const { account } = window.synced;
    window.awake = () => {
      const loads = Array.from({ length: accounts }, (_, id) => window.device.load(account, `${id}`));
      const read = async () => {
        const amounts: number[] = [];
        for await (const event of window.device.read({ types: ["account.money_deposited"] })) {
          amounts.push((event.data as { amount: number }).amount);
        }
        return amounts;
      };
      window.first = Promise.all([Promise.all(loads), read()]).then(([states, events]) => ({
        loads: states.map(({ state }) => state.balance),
        events,
      }));
    };
  }, accounts);
  const wake = await freeze();

  await other.evaluate(() => window.device.close());
  await server.restore("monday");
  network.target = server.current.url;
  await settled(page, accounts);
  // As many others in their place.
  await openDevice(other, "three", { subject: "carol" });
  await settled(other, accounts);
  await deposits(other, lost, 100, accounts);
  await settled(other, accounts + lost);
  const here = await settled(page, accounts + lost);
  await wake();
  const found = await sleeper.evaluate(async () => {
    const { loads, events } = await window.first;
    return { loads, amounts: [...new Set(events)], count: events.length };
  });

  const [old, now] = [each, each * 100];
  expect(found.loads.filter((balance) => balance !== old && balance !== now)).toEqual([]);
  expect(found.loads).toHaveLength(accounts);
  expect(found).toMatchObject({ amounts: [expect.any(Number)], count: lost });
  // What another tab has merged is in this one's reads when it has heard of it, or looked.
  await expect.poll(() => standing(sleeper)).toMatchObject({ balances: here.balances, hash: here.hash });
  await settled(sleeper, accounts + lost);
  expect(here.balances.map(([, balance]) => balance)).toEqual(Array(accounts).fill(now));
  expect(await verified(sleeper)).toEqual({ ok: true, problems: [] });
});

test("a browser killed where it takes its log back, again and again, loses and doubles nothing", async ({
  context,
  page,
  other,
  network,
  profile,
  serverUrl,
  server,
}) => {
  const [accounts, own] = [5, 700];
  await openDevice(page, "one");
  await openAccounts(page, accounts);
  await settled(page, accounts);
  await server.backup("monday");
  await deposits(page, own, 1, accounts);
  await settled(page, accounts + own);
  await page.goto("about:blank");

  const delays = [0, 5, 15, 30, 60, 120];
  const tab = await killedAt(delays, { context, profile, serverUrl, network }, async (tab, delayMs) => {
    await server.restore("monday");
    network.target = server.current.url;
    await tab.goto(serverUrl);
    const told = new Promise<void>((resolve) => {
      network.fate = ({ answered }) => {
        void answered.then((status) => status === 412 && setTimeout(resolve, delayMs));
        return {};
      };
    });
    await openDevice(tab, "one");
    await told;
  });
  await tab.goto(serverUrl);
  await openDevice(tab, "one");
  const here = await settled(tab, accounts + own);
  const found = await verified(tab);
  await openDevice(other, "two", { subject: "ben" });
  const there = await settled(other, accounts + own);
  await tab.context().close();

  expect(here.balances).toEqual(Array.from({ length: accounts }, (_, id) => [`${id}`, own / accounts]));
  expect(here).toMatchObject({ events: accounts + own, refusals: [] });
  expect(there).toMatchObject({ balances: here.balances, events: here.events, hash: here.hash });
  expect(await server.current.head("bank")).toEqual({ number: accounts + own, hash: here.hash });
  expect(found).toEqual({ ok: true, problems: [] });
});
