// The longest task of the main thread while a million events are rebuilt, projected and restricted; the browser
// tells of those above 50 ms, so 0 says that there was none. That of bulk ingest is a part of its figure.

import { million, onMillion } from "../fixtures/million.mjs";

export const figure = {
  id: "longest-task",
  what: "longest main-thread task of rebuild, projection and restricted replay (0: none above 50)",
  unit: "ms",
  better: "lower",
  stores: ["everfold"],
  limit: { atMost: 50 },

  prepare: million,

  sample: (run, { store }) =>
    onMillion(run, store, async (store) => {
      let longest = 0;
      const observer = new PerformanceObserver((list) => {
        for (const { duration } of list.getEntries()) longest = Math.max(longest, duration);
      });
      observer.observe({ entryTypes: ["longtask"] });
      await store.rebuild();
      await store.project({});
      await store.project({ until: Date.UTC(1993, 7, 1) });
      await new Promise((resolve) => setTimeout(resolve, 100));
      observer.disconnect();
      return longest;
    }),
};
