// The browser that tests and the bench drive: the one named in the environment, else the one on PATH, else Playwright's.

import { existsSync } from "node:fs";
import { onPath, run, Stop, step } from "./command.mjs";
import { aptInstall } from "./toolchain.mjs";

/** Quiet and offline: a test browser that looks for updates only adds noise. */
export const browserArguments = [
  // Chromium does not start its sandbox as root, which is what CI is.
  ...(process.getuid?.() === 0 ? ["--no-sandbox"] : []),
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];

/** The browser's program, or undefined when there is none yet. Set EVERFOLD_CHROMIUM to choose. */
export async function findBrowser() {
  const named = process.env.EVERFOLD_CHROMIUM;
  if (named !== undefined) {
    if (!existsSync(named)) {
      throw new Stop(`EVERFOLD_CHROMIUM names ${named}, which does not exist`);
    }
    return named;
  }
  const found = onPath("chromium", "chromium-browser", "google-chrome", "google-chrome-stable");
  if (found !== undefined) {
    return found;
  }
  const { chromium } = await import("playwright-core");
  return existsSync(chromium.executablePath()) ? chromium.executablePath() : undefined;
}

/** The driver that `wasm-pack test` needs, or undefined, in which case wasm-pack fetches one. */
export function findDriver() {
  return process.env.CHROMEDRIVER ?? onPath("chromedriver");
}

export async function setUpBrowser() {
  if ((await findBrowser()) !== undefined) {
    return;
  }
  const attempts = [];
  if (process.getuid?.() === 0 && onPath("apt-get") !== undefined) {
    attempts.push([
      "Chromium from Debian's packages",
      async () => {
        await run("apt-get", ["update", "-qq"], { quiet: true });
        await aptInstall(["chromium", "chromium-driver"]);
      },
    ]);
  }
  attempts.push(["Playwright's Chromium", () => run("npx", ["playwright", "install", "chromium"])]);
  for (const [title, work] of attempts) {
    try {
      await step(title, work);
    } catch (error) {
      process.stderr.write(`${error.message}\n`);
    }
    if ((await findBrowser()) !== undefined) {
      return;
    }
  }
  throw new Stop("no test browser: install Chromium and its chromedriver, or set EVERFOLD_CHROMIUM to one");
}
