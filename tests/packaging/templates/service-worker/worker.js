// Bundled by esbuild, as a browser resolves no package names in a service worker.
import core from "everfold/everfold.wasm";
import sync from "everfold/everfold-sync.wasm";
import tools from "everfold/everfold-tools.wasm";
import { commitAndReadBack } from "./ledger.mjs";

const at = (file) => new URL(file, import.meta.url);

self.addEventListener("message", (event) => {
  event.waitUntil(
    commitAndReadBack({ wasm: { core: at(core), sync: at(sync), tools: at(tools) } }).then(
      (answer) => event.source.postMessage(answer),
      (error) => event.source.postMessage(`failed: ${error.stack}`),
    ),
  );
});
