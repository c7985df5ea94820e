/**
 * Importing an entry starts nothing: servers, workers and tests import what pages do.
 */
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";

const dist = new URL("../../dist/", import.meta.url);

/** Runs in a Node of its own, where everything that a page has notes when it is touched. React itself is not asked. */
const probe = `
  await import("react");
  const before = new Set(Reflect.ownKeys(globalThis));
  const touched = [];
  for (const name of ["indexedDB", "navigator", "document", "window", "self", "location", "localStorage", "caches",
    "fetch", "WebSocket", "Worker", "BroadcastChannel", "addEventListener", "crypto", "setTimeout", "setInterval",
    "queueMicrotask", "requestIdleCallback", "WebAssembly"]) {
    Object.defineProperty(globalThis, name, { configurable: true, get() { touched.push(name); return undefined; } });
    before.add(name);
  }
  const entry = await import(process.argv[1]);
  const added = Reflect.ownKeys(globalThis).filter((name) => !before.has(name)).map(String);
  process.stdout.write(JSON.stringify({ touched, added, exported: Object.keys(entry).sort() }));
`;

describe.each([
  [
    "index",
    [
      "EverfoldError",
      "defineAggregate",
      "defineDecision",
      "defineProjection",
      "deleteStore",
      "isEverfoldError",
      "openStore",
      "rustAggregate",
      "rustProjection",
    ],
  ],
  ["testing", ["fakeClock", "given", "openTestStore", "seededIds"]],
  ["react", ["EverfoldProvider", "useAggregate", "useExecute", "useRefusals", "useSyncStatus", "useView"]],
])("importing %s", (name, exported) => {
  test("touches no global and exports what is promised", () => {
    const address = new URL(`${name}.js`, dist).href;

    const seen = execFileSync(process.execPath, ["--input-type=module", "-e", probe, address], { encoding: "utf8" });

    expect(JSON.parse(seen)).toEqual({ touched: [], added: [], exported });
  });
});

test("the entries have neither a dynamic import nor a top-level await", () => {
  const text = readFileSync(new URL("index.js", dist), "utf8");

  expect(text).not.toMatch(/\bimport\s*\(/);
  expect(text).not.toMatch(/^await\b/m);
});
