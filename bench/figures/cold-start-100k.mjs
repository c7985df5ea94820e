// From the start of a navigation to the first balance read, in a new browser process, with 100,000 events
// stored by single commits and the projection persisted.

import { storedBySingleCommits } from "../fixtures/single-commits.mjs";

export const figure = {
  id: "cold-start-100k",
  what: "page load to first balance, 100,000 events stored",
  unit: "ms",
  better: "lower",
  limit: { ratioToIdb: 1.25 },

  prepare: storedBySingleCommits,

  async sample(run, { store, round }) {
    const { database, events } = await storedBySingleCommits(run, store);
    const [account, expected] = [...run.ledger.balancesAfter(events)][round * 50];
    await run.browser.restart();
    const visit = async (page) => {
      await page.waitForFunction(() => globalThis.started !== undefined);
      return page.evaluate(() => globalThis.started);
    };
    const path = `/start?database=${database}&account=${account}`;
    const { balance, firstBalance, loaded, opened } = await run.browser.withPage(store, visit, path);
    if (balance !== expected) throw new Error(`${store} says that ${account} holds ${balance}, it is ${expected}`);
    return { value: firstBalance, parts: { loaded, opened } };
  },
};
