// Loading an account of 50 events that this page has not loaded before, among 100,000 stored events.
//
// Cold: a new page, the store just opened. Twenty accounts are loaded one after the other, each once; the
// sample is their median, since a single load of a millisecond measures the machine's other business.

import { storedBySingleCommits } from "../fixtures/single-commits.mjs";

export const figure = {
  id: "load-50-cold",
  what: "load a 50-event aggregate, cold",
  unit: "ms",
  better: "lower",
  limit: { ratioToIdb: 1 },
  reference: { idb: 1.1 },

  prepare: storedBySingleCommits,

  async sample(run, { store }) {
    const { database, events } = await storedBySingleCommits(run, store);
    const accounts = run.ledger.accountsNear(50, events, 20);
    return run.browser.withPage(store, (page) =>
      page.evaluate(
        async ({ database, accounts }) => {
          const store = await bench.open({ database, durability: "relaxed", projection: true });
          const times = [];
          for (const { id, events } of accounts) {
            const start = performance.now();
            const { version } = await store.load(id);
            times.push(performance.now() - start);
            if (version !== events) throw new Error(`${id} has ${version} events instead of ${events}`);
          }
          await store.close();
          return times.sort((a, b) => a - b)[times.length >> 1];
        },
        { database, accounts },
      ),
    );
  },
};
