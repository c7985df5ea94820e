// Each store as an app would ship it: its adapter and its library in one minified file.
//
// Otherwise a cold start would count the round trips of unbundled modules. everfold comes from the `dist/`
// that its users get, with its wasm file beside the bundle.

import { existsSync, readdirSync } from "node:fs";
import { join, relative } from "node:path";
import { build } from "esbuild";
import { root } from "../../scripts/command.mjs";

const entryPoints = {
  everfold: ["everfold.js", "everfold-definitions.js"],
  idb: ["idb.js"],
  dexie: ["dexie.js"],
  sqlite: ["sqlite.js", "sqlite-worker.js"],
};

/** File name to bytes, for one store. */
export async function bundleStore(bench, store) {
  const { outputFiles } = await build({
    entryPoints: entryPoints[store].map((file) => join(bench, "peers", file)),
    outdir: "/",
    write: false,
    bundle: true,
    minify: true,
    format: "esm",
    target: "es2022",
    external: ["./rust_module.js"],
    logLevel: "error",
  });
  return new Map(outputFiles.map(({ path, contents }) => [path.split(/[\\/]/).at(-1), contents]));
}

/** Where SQLite's bundled code looks for its wasm: beside itself. */
export const sqliteWasm = (bench) => join(bench, "node_modules/@sqlite.org/sqlite-wasm/dist/sqlite3.wasm");

/** What everfold's bundled code looks for beside itself. */
export const everfoldFiles = [
  ...["everfold.wasm", "everfold-sync.wasm", "everfold-tools.wasm", "rebuild-worker.js"].map((name) => [
    name,
    join(root, "dist", name),
  ]),
  ...filesBelow(join(root, "examples/rust-module/pkg")),
];

/** The files that wasm-bindgen wrote, with the modules that its glue imports. */
function filesBelow(folder) {
  const entries = existsSync(folder) ? readdirSync(folder, { recursive: true, withFileTypes: true }) : [];
  return entries
    .filter((entry) => entry.isFile())
    .map(({ parentPath, name }) => join(parentPath, name))
    .map((file) => [relative(folder, file), file]);
}
