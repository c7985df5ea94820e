/**
 * The engine's files as they were built.
 */
import { readFileSync } from "node:fs";

// From the root, where the tests run: in happy-dom a module's URL is not a file's.
export const wasm = {
  core: readFileSync("dist/everfold.wasm"),
  sync: readFileSync("dist/everfold-sync.wasm"),
  tools: readFileSync("dist/everfold-tools.wasm"),
};
