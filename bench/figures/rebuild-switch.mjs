// What follows the last fold of a rebuild: the rows of all accounts written, and the switch.

import { million, onMillion } from "../fixtures/million.mjs";

export const figure = {
  id: "rebuild-switch",
  what: "rows of 25,809 accounts written and switched",
  unit: "ms",
  better: "lower",
  stores: ["everfold"],
  limit: { atMost: 2_000 },

  prepare: million,

  sample: (run, { store }) => onMillion(run, store, async (store) => (await store.rebuild()).switchedMs),
};
