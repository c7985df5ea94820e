// The browser that all stores are measured in: headless Chromium on a fresh profile on disk.
//
// The profile lies in the bench folder and not in the system's temporary one, which is memory on many
// machines. `restart` ends the browser's processes and starts new ones on the same profile, for figures
// that begin from the disk. A sample always gets a page of its own.

import { lstatSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { chromium } from "playwright-core";
import { browserArguments, findBrowser } from "../../scripts/browser.mjs";

export class Browser {
  #context;
  #origin;
  #profile;

  constructor({ bench, origin }) {
    this.#profile = mkdtempSync(join(bench, ".profile-"));
    this.#origin = origin;
  }

  static async launch({ bench, origin }) {
    const browser = new Browser({ bench, origin });
    await browser.#start();
    return browser;
  }

  get version() {
    return this.#context.browser().version();
  }

  /** A new page for `store`, ready to measure; give it to `use`, which closes it afterwards. */
  async withPage(store, use, path = "/measure") {
    const page = await this.#context.newPage();
    page.setDefaultTimeout(180_000);
    const errors = [];
    page.on("pageerror", (error) => errors.push(error.message));
    page.on("console", (message) => message.type() === "error" && errors.push(message.text()));
    try {
      const separator = path.includes("?") ? "&" : "?";
      await page.goto(`${this.#origin(store)}${path}${separator}store=${store}`);
      if (path === "/measure")
        await page.waitForFunction(() => globalThis.bench !== undefined, undefined, { timeout: 20_000 });
      return await use(page);
    } catch (error) {
      if (errors.length > 0) error.message += `\n  the page said: ${errors.join("\n  ")}`;
      throw error;
    } finally {
      await page.close();
    }
  }

  /** New processes on the same profile, with a second to finish their own start. */
  async restart() {
    await this.#context.close();
    await this.#start();
    await setTimeout(1_000);
  }

  /** What the profile takes on the disk. */
  bytesOnDisk() {
    const files = readdirSync(this.#profile, { recursive: true, withFileTypes: true }).filter((file) => file.isFile());
    return files.reduce((sum, file) => sum + lstatSync(join(file.parentPath, file.name)).blocks * 512, 0);
  }

  async close() {
    await this.#context.close();
    rmSync(this.#profile, { recursive: true, force: true, maxRetries: 5, retryDelay: 200 });
  }

  async #start() {
    this.#context = await chromium.launchPersistentContext(this.#profile, {
      executablePath: process.env.CHROMIUM ?? (await findBrowser()),
      headless: true,
      args: browserArguments,
    });
  }
}
