// What a page downloads whose store syncs: JavaScript and wasm, as brotli, by the same count as `npm run size`.

import { measure } from "../../scripts/size.mjs";

export const figure = {
  id: "size-sync",
  what: "JavaScript and wasm that a page downloads whose store syncs, brotli",
  unit: "KiB",
  better: "lower",
  browser: false,
  once: true,
  stores: ["everfold"],
  limit: { atMost: 110 },

  async sample() {
    return measure().brotliKiB.sync;
  },
};
