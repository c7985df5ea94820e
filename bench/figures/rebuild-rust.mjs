// A rebuild through a projection in Rust, `examples/rust-module`, from the call to the last fold, in a new browser
// process: as `rebuild-ts`, but no event enters JavaScript.

import { million, onMillion } from "../fixtures/million.mjs";

export const figure = {
  id: "rebuild-rust",
  what: "rebuild of 1,031,142 events through a projection in Rust, to the last fold",
  unit: "events/s",
  better: "higher",
  stores: ["everfold"],
  limit: { atLeast: 1_000_000 },

  prepare: million,

  sample: (run, { store }) =>
    onMillion(
      run,
      store,
      async (store, { events }) => (events * 1000) / (await store.rebuild()).foldedMs,
      {},
      { rust: true },
    ),
};
