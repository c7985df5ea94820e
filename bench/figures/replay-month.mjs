// The balances folded from August 1993 only, as a share of the time that all events take.

import { million, onMillion } from "../fixtures/million.mjs";

export const figure = {
  id: "replay-month",
  what: "replay restricted to 1993-08, share of the full replay's time",
  unit: "share",
  better: "lower",
  stores: ["everfold"],
  limit: { atMost: 0.2 },

  prepare: million,

  async sample(run, { store }) {
    const month = { from: Date.UTC(1993, 7, 1), until: Date.UTC(1993, 8, 1) - 1 };
    const { all, some } = await onMillion(
      run,
      store,
      async (store, { from, until }) => {
        const time = async (range) => {
          const start = performance.now();
          await store.project(range);
          return performance.now() - start;
        };
        const all = await time({});
        return { all, some: await time({ from, until }) };
      },
      month,
    );
    return { value: some / all, parts: { all, month: some } };
  },
};
