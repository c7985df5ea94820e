import { readFileSync } from "node:fs";
import { runInNewContext } from "node:vm";
import { expect, test } from "vitest";

type Listener = (event: { request: object; respondWith: (answer: unknown) => void }) => void;

/** Whether the page's worker answers a navigation to this path, in place of the server. */
function answers(path: string): boolean {
  const listeners = new Map<string, Listener>();
  const self = {
    addEventListener: (kind: string, listener: Listener) => listeners.set(kind, listener),
    registration: { scope: "http://localhost:4173/" },
  };
  const caches = { open: async () => ({ match: async () => "the page" }) };
  runInNewContext(readFileSync("www/build/service-worker.js", "utf8"), { self, caches, URL, RELEASE: "1", FILES: [] });
  let answered = false;
  const request = { method: "GET", mode: "navigate", url: new URL(path, self.registration.scope).href };
  listeners.get("fetch")?.({
    request,
    respondWith: () => {
      answered = true;
    },
  });
  return answered;
}

test("what the server answers goes past the worker of the page, which keeps the page", () => {
  const ofTheServer = ["/v1/spaces/acme", "/dev/token", "/healthz", "/readyz", "/metrics"];

  expect(ofTheServer.filter(answers)).toEqual([]);
  expect(["/", "/index.html", "/assets/index.js", "/device"].filter(answers)).toHaveLength(4);
});
