import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { offline } from "../../../www/build/offline.ts";

let root: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "everfold-offline-"));
  mkdirSync(join(root, "public"));
});
afterEach(() => rmSync(root, { recursive: true }));

/** The service worker of a page with this title. */
async function workerOf(title: string): Promise<string> {
  const { build } = await import("vite");
  writeFileSync(join(root, "index.html"), `<title>${title}</title><script type="module" src="/main.js"></script>`);
  writeFileSync(join(root, "main.js"), "console.log(1)");
  const built = await build({
    ...{ root, configFile: false, logLevel: "silent" },
    ...{ plugins: [offline()], build: { write: false } },
  });
  const { output } = built as Extract<typeof built, { readonly output: unknown }>;
  const worker = output.find(({ fileName }) => fileName === "service-worker.js");
  return worker?.type === "asset" ? String(worker.source) : "";
}

test("a page that changed in its own text alone has another worker, which fetches it", async () => {
  const [one, same] = [await workerOf("one"), await workerOf("one")];

  expect(one).toMatch(/^const RELEASE = "[0-9a-f]{16}";/);
  expect(same).toBe(one);
  expect(await workerOf("two")).not.toBe(one);
});
