// Serves the bench's pages, the bundled stores and the ledger's events on loopback.
//
// Every store gets an origin of its own (`idb.localhost`), because all IndexedDB databases of an origin
// share one LevelDB. Files may be cached by the browser as an app's would be; the profile is fresh in
// every run, so nothing stale can be found. COOP and COEP give fine clocks and SharedArrayBuffer to all.

import { existsSync, readFileSync, statSync } from "node:fs";
import { createServer } from "node:http";
import { extname, join, normalize } from "node:path";
import { bundleStore, everfoldFiles, sqliteWasm } from "./bundles.mjs";

const contentTypes = {
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript",
  ".json": "application/json",
  ".wasm": "application/wasm",
};

const isolation = {
  "cross-origin-opener-policy": "same-origin",
  "cross-origin-embedder-policy": "require-corp",
};

/** Resolves to `{ origin(store), close() }`. */
export async function serve({ bench, ledger, stores }) {
  const bundles = new Map([
    ["sqlite3.wasm", readFileSync(sqliteWasm(bench))],
    ...everfoldFiles.map(([name, file]) => [name, readFileSync(file)]),
  ]);
  for (const store of stores) {
    for (const [name, contents] of await bundleStore(bench, store)) bundles.set(name, contents);
  }

  const fileOf = (pathname) => {
    const [, folder, name] = /^\/(page|stores)\/(.+)$/.exec(normalize(pathname)) ?? [];
    if (folder === "stores") return bundles.get(name);
    const file = folder && join(bench, folder, name);
    return file && existsSync(file) && statSync(file).isFile() ? readFileSync(file) : undefined;
  };

  const server = createServer((request, response) => {
    const { pathname, searchParams } = new URL(request.url, "http://localhost");
    const answer = (status, type, body, caching = "no-store") => {
      response.writeHead(status, { ...isolation, "content-type": type, "cache-control": caching });
      response.end(body);
    };
    if (pathname === "/events") {
      const events = ledger.events(Number(searchParams.get("from")), Number(searchParams.get("count")));
      return answer(200, contentTypes[".json"], JSON.stringify(events));
    }
    const page = /^\/(measure|start)$/.exec(pathname)?.[1];
    if (page !== undefined) {
      const html = readFileSync(join(bench, "page", `${page}.html`), "utf8");
      const store = searchParams.get("store");
      return answer(200, contentTypes[".html"], html.replaceAll("STORE", store));
    }
    const file = fileOf(pathname);
    if (file === undefined) return answer(404, "text/plain", "not found");
    const type = contentTypes[extname(pathname)] ?? "application/octet-stream";
    return answer(200, type, file, "max-age=86400, immutable");
  });

  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address();
  return {
    origin: (store) => `http://${store}.localhost:${port}`,
    close() {
      server.closeAllConnections();
      return new Promise((resolve) => server.close(resolve));
    },
  };
}
