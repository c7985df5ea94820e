// A device that has nothing opens a space with a history: from the opening to the moment when all of it is stored and
// confirmed. The longest task of the main thread meanwhile is a part of the figure.

import { filledSpace, syncWith } from "../fixtures/sync-server.mjs";

export const figure = {
  id: "first-sync",
  what: "first sync of 100,000 events, each a commit, into an empty browser from a local server",
  unit: "events/s",
  better: "higher",
  stores: ["everfold"],
  limit: { atLeast: 60_000 },

  prepare: filledSpace,

  async sample(run, { store, round }) {
    const { server, space, commits } = await filledSpace(run, store);
    const options = { database: `first-sync-${round}`, commits, sync: await syncWith(server, space) };
    const { seconds, longestTask, found } = await run.browser.withPage(store, (page) => page.evaluate(pull, options));
    const sum = [...run.ledger.balancesAfter(commits).values()].reduce((total, balance) => total + balance, 0);
    if (found.events !== commits || found.total !== sum) throw new Error(`it holds ${JSON.stringify(found)}`);
    return { value: commits / seconds, parts: { longestTask } };
  },
};

/** Runs in the page. */
async function pull({ database, commits, sync }) {
  let longestTask = 0;
  const observer = new PerformanceObserver((list) => {
    for (const { duration } of list.getEntries()) longestTask = Math.max(longestTask, duration);
  });
  await new Promise((resolve) => setTimeout(resolve, 500));
  observer.observe({ entryTypes: ["longtask"] });
  const start = performance.now();
  const store = await bench.open({ database, durability: "strict", projection: false, sync });
  await store.confirmed(commits);
  const seconds = (performance.now() - start) / 1000;
  await new Promise((resolve) => setTimeout(resolve, 100));
  observer.disconnect();
  const found = await store.scan();
  await store.close();
  return { seconds, longestTask, found };
}
