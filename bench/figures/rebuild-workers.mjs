// What two workers bring to a rebuild: the time of one thread divided by theirs, each from the call to the last
// fold in a new browser process. The start of the workers counts. `parts` has the same of a projection in Rust.

import { million, onMillion } from "../fixtures/million.mjs";

export const figure = {
  id: "rebuild-workers",
  what: "rebuild of 1,031,142 events in two workers, against one thread",
  unit: "times",
  better: "higher",
  stores: ["everfold"],

  prepare: million,

  async sample(run, { store }) {
    const folded = (workers, options) =>
      onMillion(
        run,
        store,
        async (store, { workers }) => (await store.rebuild({ workers })).foldedMs,
        { workers },
        options,
      );
    const [alone, together] = [await folded(undefined), await folded(2)];
    const [rustAlone, rustTogether] = [await folded(undefined, { rust: true }), await folded(2, { rust: true })];
    return { value: alone / together, parts: { alone, together, rustAlone, rustTogether } };
  },
};
