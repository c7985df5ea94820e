/**
 * A page with the API and the small bank, built from the sources as the package is.
 */
import { copyFileSync, cpSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { build } from "esbuild";
import { test as base } from "../chromium.ts";

export { expect, killBrowser, launch } from "../chromium.ts";
export type { Bank } from "./page.ts";

const root = join(import.meta.dirname, "..", "..");

export const test = base.extend<object, { folder: string }>({
  folder: [
    async ({}, use) => {
      const folder = join(root, "test-results", "facade-page");
      mkdirSync(folder, { recursive: true });
      await build({
        entryPoints: ["page.ts", "sums.ts", "own-worker.ts", "own-engine.js"].map((file) =>
          join(root, "tests", "facade", file),
        ),
        outdir: folder,
        bundle: true,
        format: "esm",
        target: "es2022",
        logLevel: "warning",
      });
      for (const file of ["everfold.wasm", "everfold-sync.wasm", "everfold-tools.wasm", "rebuild-worker.js"]) {
        copyFileSync(join(root, "dist", file), join(folder, file));
      }
      const pkg = join(root, "examples", "rust-module", "pkg");
      cpSync(pkg, folder, { recursive: true });
      // One whose wasm is missing.
      cpSync(pkg, join(folder, "glue-only"), { recursive: true, filter: (file) => !file.endsWith(".wasm") });
      writeFileSync(
        join(folder, "index.html"),
        '<!doctype html><title>bank</title><link rel="icon" href="data:," /><script type="module" src="/page.js"></script>',
      );
      await use(folder);
    },
    { scope: "worker" },
  ],
  served: async ({ folder }, use) => use(folder),
  page: async ({ page }, use) => {
    await page.goto("/");
    await use(page);
  },
});
