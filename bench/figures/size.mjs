// What a page downloads to open a store: JavaScript and wasm, as brotli, by the same count as
// `npm run size`. With sync it is `size-sync`. The others are counted as an app would ship them: adapter and library in one minified
// file, and SQLite's wasm.

import { readFileSync } from "node:fs";
import { brotliCompressSync, constants } from "node:zlib";
import { measure } from "../../scripts/size.mjs";
import { bundleStore, sqliteWasm } from "../harness/bundles.mjs";

export const figure = {
  id: "size",
  what: "JavaScript and wasm that a page downloads to open a store, brotli",
  unit: "KiB",
  better: "lower",
  browser: false,
  once: true,
  limit: { atMost: 90 },

  async sample({ bench }, { store }) {
    if (store === "everfold") return measure().brotliKiB.page;
    const files = [...(await bundleStore(bench, store)).values()];
    if (store === "sqlite") files.push(readFileSync(sqliteWasm(bench)));
    return files.reduce((sum, file) => sum + brotliKiB(file), 0);
  },
};

function brotliKiB(content) {
  const params = { [constants.BROTLI_PARAM_QUALITY]: 11, [constants.BROTLI_PARAM_SIZE_HINT]: content.length };
  return brotliCompressSync(content, { params }).length / 1024;
}
