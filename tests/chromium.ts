// Chromium as users have it: a profile on disk, so that IndexedDB is on disk too, and gone after the test.
//
// `page` and `context` are Playwright's names, so tests read as usual; `launch` starts the same profile again, for
// tests that close or kill the browser.

import { readlinkSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type BrowserContext, test as base, chromium, type Page } from "@playwright/test";
import { browserArguments, findBrowser } from "../scripts/browser.mjs";
import { serve, strictPolicy } from "../scripts/serve.mjs";

export { expect } from "@playwright/test";

/** Starts Chromium on a profile folder. */
export async function launch(profile: string, serverUrl?: string): Promise<BrowserContext> {
  const executablePath = await findBrowser();
  return chromium.launchPersistentContext(profile, {
    args: browserArguments,
    ...(executablePath === undefined ? {} : { executablePath }),
    ...(serverUrl === undefined ? {} : { baseURL: serverUrl }),
  });
}

/** SIGKILL for the browser of a profile: the profile's lock is a link to a name that ends in its process id. */
export async function killBrowser(context: BrowserContext, profile: string): Promise<void> {
  const holder = readlinkSync(join(profile, "SingletonLock"));
  process.kill(Number(holder.slice(holder.lastIndexOf("-") + 1)), "SIGKILL");
  await context.close().catch(() => undefined);
}

interface Fixtures {
  /** The folder that the test's server shows. */
  served: string;
  /** Where that server is. */
  serverUrl: string;
  /** The browser's profile folder, empty at the start of the test. */
  profile: string;
  context: BrowserContext;
  page: Page;
}

export const test = base.extend<Fixtures>({
  served: [join(import.meta.dirname, ".."), { option: true }],
  serverUrl: async ({ served }, use) => {
    const server = await serve(served, { policy: strictPolicy });
    await use(server.url);
    await server.close();
  },
  profile: async ({}, use) => {
    const profile = await mkdtemp(join(tmpdir(), "everfold-profile-"));
    await use(profile);
    await rm(profile, { recursive: true, force: true, maxRetries: 5 });
  },
  context: async ({ profile, serverUrl }, use) => {
    const context = await launch(profile, serverUrl);
    await use(context);
    await context.close();
  },
  page: async ({ context }, use) => {
    await use(context.pages()[0] ?? (await context.newPage()));
  },
});
