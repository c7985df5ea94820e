// Bundled by esbuild, as a browser resolves no package names in a service worker.
import wasm from "everfold/everfold.wasm";
import { commitAndReadBack } from "./ledger.mjs";

self.addEventListener("message", (event) => {
  event.waitUntil(
    commitAndReadBack({ wasm: new URL(wasm, import.meta.url) }).then(
      (answer) => event.source.postMessage(answer),
      (error) => event.source.postMessage(`failed: ${error.stack}`),
    ),
  );
});
