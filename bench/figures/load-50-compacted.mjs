// Loading an account of 50 events that this page has not loaded before, among a million stored and compacted.
// Twenty accounts one after the other, each once; the sample is their median.

import { million, onMillion } from "../fixtures/million.mjs";

export const figure = {
  id: "load-50-compacted",
  what: "load a 50-event aggregate after compaction, cold",
  unit: "ms",
  better: "lower",
  limit: { ratioToIdb: 1 / 0.77 },

  prepare: million,

  async sample(run, { store }) {
    const { events } = await million(run, store);
    const accounts = run.ledger.accountsNear(50, events, 20);
    return onMillion(
      run,
      store,
      async (store, { accounts }) => {
        const times = [];
        for (const { id, events } of accounts) {
          const start = performance.now();
          const { version } = await store.load(id);
          times.push(performance.now() - start);
          if (version !== events) throw new Error(`${id} has ${version} events instead of ${events}`);
        }
        return times.sort((a, b) => a - b)[times.length >> 1];
      },
      { accounts },
    );
  },
};
