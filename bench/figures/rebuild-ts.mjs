// A rebuild through the reducer of the balances, from the call to the last fold, in a new browser process.
// The others fold all events in log order into a map, which is what their users would write.

import { million, onMillion } from "../fixtures/million.mjs";

export const figure = {
  id: "rebuild-ts",
  what: "rebuild of 1,031,142 events through a TypeScript reducer, to the last fold",
  unit: "events/s",
  better: "higher",
  limit: { atLeast: 600_000, ratioToSqlite: 5 },

  prepare: million,

  sample: (run, { store }) =>
    onMillion(run, store, async (store, { events }) => {
      const start = performance.now();
      const { foldedMs } = store.rebuild
        ? await store.rebuild()
        : await store.scan().then((found) => {
            if (found.events !== events) throw new Error(`${found.events} events instead of ${events}`);
            return { foldedMs: performance.now() - start };
          });
      return (events * 1000) / foldedMs;
    }),
};
