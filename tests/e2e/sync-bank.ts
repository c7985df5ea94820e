// A page with the API and the rules of the demo, the real server, and a bad network between the two.

import { copyFileSync, mkdirSync, writeFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { BrowserContext, Page } from "@playwright/test";
import { build } from "esbuild";
import { test as base, expect, killBrowser, launch } from "../chromium.ts";
import { CuttingProxy } from "./proxy.ts";
import { SyncServer } from "./sync-server.ts";

export { expect };

const root = join(import.meta.dirname, "..", "..");

interface Fixtures {
  /** Further flags of the server. */
  flags: string[];
  /** Where the server keeps its log. */
  folder: string;
  /** The server at the time: `restart` puts another in its place. */
  server: {
    current: SyncServer;
    restart(): Promise<void>;
    /** Into a file of this name beside its log. */
    backup(name: string): Promise<void>;
    /** Stops, takes a backup for its log, and starts again: another epoch. */
    restore(name: string): Promise<void>;
  };
  network: CuttingProxy;
  /** A browser of its own, with a page on the bank, online. */
  browser2: BrowserContext;
  other: Page;
}

export const test = base.extend<Fixtures, { site: string }>({
  site: [
    async ({}, use) => {
      const site = join(root, "test-results", "sync-page");
      mkdirSync(site, { recursive: true });
      await build({
        entryPoints: [join(root, "tests", "e2e", "sync-page.ts")],
        outfile: join(site, "page.js"),
        bundle: true,
        format: "esm",
        target: "es2022",
        logLevel: "warning",
      });
      for (const file of ["everfold.wasm", "everfold-sync.wasm", "everfold-tools.wasm"]) {
        copyFileSync(join(root, "dist", file), join(site, file));
      }
      writeFileSync(
        join(site, "index.html"),
        '<!doctype html><title>bank</title><link rel="icon" href="data:," /><script type="module" src="/page.js"></script>',
      );
      await use(site);
    },
    { scope: "worker" },
  ],
  flags: [[], { option: true }],
  folder: async ({}, use) => {
    const folder = await mkdtemp(join(tmpdir(), "everfold-server-"));
    await use(folder);
    await rm(folder, { recursive: true, force: true });
  },
  server: async ({ folder, site, flags }, use) => {
    const start = () => SyncServer.start({ folder, site, flags });
    const server = {
      current: await start(),
      async restart() {
        await server.current.kill();
        server.current = await start();
      },
      backup: (name: string) => SyncServer.backup(folder, join(folder, name)),
      async restore(name: string) {
        await server.current.stop();
        await SyncServer.restore(folder, join(folder, name));
        server.current = await start();
      },
    };
    await use(server);
    await server.current.stop();
  },
  network: async ({ server }, use) => {
    const network = await CuttingProxy.before(server.current.url);
    await use(network);
    await network.close();
  },
  serverUrl: async ({ network }, use) => use(network.url),
  page: async ({ page }, use) => {
    await page.goto("/");
    await use(page);
  },
  browser2: async ({ serverUrl }, use) => {
    const profile = await mkdtemp(join(tmpdir(), "everfold-profile-"));
    const context = await launch(profile, serverUrl);
    await use(context);
    await context.close();
    await rm(profile, { recursive: true, force: true, maxRetries: 5 });
  },
  other: async ({ browser2 }, use) => {
    const page = browser2.pages()[0] ?? (await browser2.newPage());
    await page.goto("/");
    await use(page);
  },
});

/** Begins something in the browser of a profile and kills it in the middle, at each of some moments. The page of one that lives. */
export async function killedAt<Moment>(
  moments: Iterable<Moment>,
  {
    context,
    profile,
    serverUrl,
    network,
  }: { context: BrowserContext; profile: string; serverUrl: string; network: CuttingProxy },
  begin: (page: Page, moment: Moment) => Promise<void>,
): Promise<Page> {
  let running = context;
  const page = async () => running.pages()[0] ?? (await running.newPage());
  for (const moment of moments) {
    await begin(await page(), moment);
    await killBrowser(running, profile);
    network.fate = () => ({});
    running = await launch(profile, serverUrl);
  }
  return page();
}

/** Opens a device and keeps it as the page's `store`. */
export async function openDevice(page: Page, name: string, options: { subject?: string; batchSize?: number } = {}) {
  await page.evaluate(
    async ([name, options]) => {
      window.device = await window.synced.open(name, options);
    },
    [name, options] as const,
  );
}

/** Where the page's device stands. */
export function standing(page: Page) {
  return page.evaluate(() => window.synced.standing(window.device));
}

/** Waits until a device has nothing to send and has so many commits. */
export async function settled(page: Page, commits: number, timeout = 20_000) {
  const status = () => page.evaluate(() => window.device.sync.status());
  await expect
    .poll(async () => (({ pending, commits }) => ({ pending, commits }))(await status()), { timeout })
    .toEqual({ pending: 0, commits });
  return standing(page);
}
