// Loading an account of 9,999 events that has a snapshot nine events before its end, in a new page.
//
// Five accounts, each loaded once; the sample is their median. A pause between them lets a store finish
// what it does after a load in idle time, which no user would have waited for.

import { longStreams } from "../fixtures/long-streams.mjs";

export const figure = {
  id: "load-10k-snapshot",
  what: "load a 9,999-event aggregate with a snapshot at 9,990, cold",
  unit: "ms",
  better: "lower",
  limit: { ratioToIdb: 1 },

  prepare: longStreams,

  async sample(run, { store }) {
    const { database, accounts, events } = await longStreams(run, store);
    return run.browser.withPage(store, (page) =>
      page.evaluate(
        async ({ database, accounts, events }) => {
          const store = await bench.open({ database, durability: "relaxed", projection: false });
          const times = [];
          for (const account of accounts) {
            await new Promise((resolve) => setTimeout(resolve, 100));
            const start = performance.now();
            const { version } = await store.load(account);
            times.push(performance.now() - start);
            if (version !== events) throw new Error(`${account} has ${version} events instead of ${events}`);
          }
          await store.close();
          return times.sort((a, b) => a - b)[times.length >> 1];
        },
        { database, accounts, events },
      ),
    );
  },
};
