// esbuild does not follow `new URL(..., import.meta.url)`, so the file is imported by name, with the `file` loader.
import wasm from "everfold/everfold.wasm";
import { commitAndReadBack } from "./ledger.mjs";

commitAndReadBack({ wasm: new URL(wasm, import.meta.url) }).then(
  (answer) => (document.title = answer),
  (error) => (document.title = `failed: ${error.stack}`),
);
