// esbuild does not follow `new URL(..., import.meta.url)`, so the files are imported by name, with the `file` loader.
import core from "everfold/everfold.wasm";
import sync from "everfold/everfold-sync.wasm";
import tools from "everfold/everfold-tools.wasm";
import { commitAndReadBack } from "./ledger.mjs";

const at = (file) => new URL(file, import.meta.url);

commitAndReadBack({ wasm: { core: at(core), sync: at(sync), tools: at(tools) } }).then(
  (answer) => (document.title = answer),
  (error) => (document.title = `failed: ${error.stack}`),
);
