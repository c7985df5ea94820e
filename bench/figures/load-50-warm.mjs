// Loading an account of 50 events again in the same page: from a cache where the store has one. Timed in
// fifties, since one such load is shorter than the clock's step.

import { storedBySingleCommits } from "../fixtures/single-commits.mjs";

export const figure = {
  id: "load-50-warm",
  what: "load a 50-event aggregate again in the same page",
  unit: "ms",
  better: "lower",
  limit: { atMost: 0.1 },

  prepare: storedBySingleCommits,

  async sample(run, { store }) {
    const { database, events } = await storedBySingleCommits(run, store);
    const [account] = run.ledger.accountsNear(50, events, 1);
    return run.browser.withPage(store, (page) =>
      page.evaluate(
        async ({ database, account }) => {
          const store = await bench.open({ database, durability: "relaxed", projection: true });
          await store.load(account.id);
          const times = [];
          for (let turn = 0; turn < 20; turn += 1) {
            const start = performance.now();
            for (let load = 0; load < 50; load += 1) await store.load(account.id);
            times.push((performance.now() - start) / 50);
          }
          await store.close();
          return times.sort((a, b) => a - b)[times.length >> 1];
        },
        { database, account },
      ),
    );
  },
};
