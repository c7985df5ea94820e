// The demo as its tests see it: what a person would look for on the page, under names of the bank.
//
// `demo` opens the built page; at the end of every test, whatever the page wrote to its console as an error fails it.

import { join } from "node:path";
import type { BrowserContext, Locator, Page } from "@playwright/test";
import { test as base, expect } from "../chromium.ts";

export { launch } from "../chromium.ts";
export { expect };

export const test = base.extend<{ complaints: string[]; demo: Demo }>({
  served: join(import.meta.dirname, "..", "..", "www", "dist"),
  complaints: async ({}, use) => {
    const complaints: string[] = [];
    await use(complaints);
    expect(complaints, "what the page wrote to its console").toEqual([]);
  },
  context: async ({ context, complaints }, use) => {
    listen(context, complaints);
    await use(context);
  },
  demo: async ({ page, serverUrl }, use) => {
    await page.goto(serverUrl);
    await use(new Demo(page));
  },
});

/** Notes errors and warnings of every page of a browser. */
export function listen(context: BrowserContext, complaints: string[]): void {
  const listenTo = (page: Page): void => {
    page.on("pageerror", (error) => complaints.push(error.stack ?? error.message));
    page.on("console", (message) => {
      if (message.type() === "error" || message.type() === "warning") complaints.push(message.text());
    });
  };
  context.pages().forEach(listenTo);
  context.on("page", listenTo);
}

/** A file as it is given to the page. */
export type StatementFile = string | { readonly name: string; readonly text: string };

export class Demo {
  readonly page: Page;

  constructor(page: Page) {
    this.page = page;
  }

  /** The sum over all accounts, as the page shows it. */
  get total(): Locator {
    return this.page.locator(".bank-sum data");
  }

  /** What an account holds, on its own page. */
  get balance(): Locator {
    return this.page.locator(".account-balance data");
  }

  async bank(): Promise<void> {
    await this.page.getByRole("link", { name: "Bank", exact: true }).click();
    await expect(this.page.getByRole("heading", { level: 1 })).toBeVisible();
  }

  async account(id: string): Promise<void> {
    await this.page.evaluate((hash) => {
      location.hash = hash;
    }, `#/accounts/${id}`);
    // A balance alone may be that of the account before.
    await expect(this.page.locator(".page-head")).toHaveText(new RegExp(`Account ${id}(?!\\d)`));
    await expect(this.balance).toBeVisible();
  }

  /** Shows the page what is in a file. */
  async choose(file: StatementFile): Promise<void> {
    await this.page.getByRole("link", { name: "Import", exact: true }).click();
    await expect(this.page.getByRole("heading", { name: "Import transactions" })).toBeVisible();
    await this.page
      .locator("input[type=file]")
      .setInputFiles(
        typeof file === "string" ? file : { name: file.name, mimeType: "text/csv", buffer: Buffer.from(file.text) },
      );
    await expect(this.page.getByRole("button", { name: /^Import [\d,]+ rows?$/ })).toBeVisible();
  }

  /** Begins to import what was chosen. */
  async begin(): Promise<void> {
    await this.page.getByRole("button", { name: /^Import [\d,]+ rows?$/ }).click();
  }

  /** Imports a whole file; the figures are those of the summary. */
  async import(file: StatementFile): Promise<ImportFigures> {
    await this.choose(file);
    await this.begin();
    return this.imported();
  }

  /** Waits for an import to end. */
  async imported(): Promise<ImportFigures> {
    const summary = this.page.getByRole("region", { name: "What became of the import" });
    await expect(summary.getByRole("heading")).toHaveText(/^Imported: /, { timeout: 100_000 });
    const figures = await summary.locator("dd").allTextContents();
    const [written = 0, known = 0, opened = 0, broken = 0] = figures.map((text) => Number(text.replaceAll(",", "")));
    await this.page.getByRole("button", { name: "Import another file" }).click();
    return { written, known, opened, broken };
  }

  /** One of the figures of the storage page. */
  async figure(term: string): Promise<number> {
    await this.page.getByRole("link", { name: "Storage", exact: true }).click();
    const figure = this.page.locator(".storage-figures div").filter({ hasText: term }).locator("dd");
    await expect(figure).toHaveText(/\d/);
    return Number((await figure.innerText()).replaceAll(",", ""));
  }

  /** Every account with what it holds, in hellers, read off the table from top to bottom. */
  async balances(): Promise<Map<string, number>> {
    await expect(this.page.locator(".bank-accounts")).toHaveAttribute("aria-busy", "false");
    await expect(this.page.locator("tr[data-index] data").first()).toBeVisible();
    return new Map(await this.page.evaluate(readTable));
  }

  /** Opens the search of the table and waits until it has answered. */
  async search(text: string, found: string): Promise<void> {
    await this.page.getByRole("searchbox").fill(text);
    await expect(this.page.getByText(found)).toBeVisible();
  }

  /** Fills the form of an account and sends it. */
  async move(kind: "Deposit" | "Withdraw" | "Transfer", amount: string, to?: string): Promise<void> {
    await this.page.getByRole("radio", { name: kind }).check();
    if (to !== undefined) await this.page.getByLabel("To account").fill(to);
    await this.page.getByLabel("Amount, CZK").fill(amount);
    // A click waits for animation frames, which a tab in the background hardly gets.
    await this.page.getByLabel("Amount, CZK").press("Enter");
  }
}

export interface ImportFigures {
  readonly written: number;
  readonly known: number;
  readonly opened: number;
  readonly broken: number;
}

/** Runs in the page: only the rows in sight are in it, so it scrolls through all of them. */
async function readTable(): Promise<[string, number][]> {
  const table = document.querySelector(".accounts table");
  const expected = Number(table?.getAttribute("aria-rowcount")) - 1;
  const balances = new Map<string, number>();
  scrollTo(0, 0);
  for (let y = 0; balances.size < expected && y < document.body.scrollHeight; y += innerHeight / 2) {
    scrollTo(0, y);
    await new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(resolve)));
    for (const row of document.querySelectorAll("tr[data-index]")) {
      const id = row.querySelector("a")?.textContent ?? "";
      balances.set(id, Number(row.querySelector("data")?.getAttribute("value")));
    }
  }
  scrollTo(0, 0);
  return [...balances];
}
