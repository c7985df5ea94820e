// The browser killed in the middle of an import, as by a power switch, again and again on one profile.

import { appendFile, readdir } from "node:fs/promises";
import { join } from "node:path";
import type { BrowserContext } from "@playwright/test";
import { killBrowser } from "../chromium.ts";
import { bankFile, skipWithoutBankFile, statementOf } from "./bank-file.ts";
import { Demo, expect, launch, type StatementFile, test } from "./demo.ts";

const KILLS = 10;

test("a browser killed ten times in mid-import has lost nothing and doubles nothing", async ({
  profile,
  serverUrl,
}, info) => {
  skipWithoutBankFile(info);
  test.setTimeout(300_000);
  let acknowledged = 0;

  for (let kill = 1; kill <= KILLS; kill += 1) {
    const context = await launch(profile, serverUrl);
    const demo = await openDemo(context, serverUrl);
    if (kill > 1) expect(await rowsHeld(demo)).toBeGreaterThanOrEqual(acknowledged);
    await demo.choose(bankFile);
    await demo.begin();
    // In the first half of the file: a kill that comes late is still in the middle of it.
    acknowledged = await acknowledgedAfter(demo, (49_102 * kill) / (2 * KILLS));
    await killBrowser(context, profile);
  }

  const context = await launch(profile, serverUrl);
  const demo = await openDemo(context, serverUrl);
  const held = await rowsHeld(demo);
  const last = await demo.import(bankFile);
  await demo.bank();
  const balances = await demo.balances();
  const events = await demo.figure("Events");
  await context.close();

  expect(held).toBeGreaterThanOrEqual(acknowledged);
  expect(last.known).toBe(held);
  expect(last.known + last.written).toBe(49_102);
  expect(balances).toEqual(statementOf().balances);
  expect(events).toBe(50_331);
});

// Chromium writes the header of a record of its log and then its bytes. Killed in between, it goes on behind that header,
// and at the start after that one finds the checksum wrong and deletes everything: one kill in a hundred did that.
// Where what stands behind the header is less than it promises, only that is gone.
for (const promised of [64, 4_000]) {
  test(`a browser killed where its own log promises ${promised} bytes loses nothing that is written behind it`, async ({
    profile,
    serverUrl,
  }) => {
    for (const transaction of [1, 2]) {
      const context = await launch(profile, serverUrl);
      const demo = await openDemo(context, serverUrl);
      expect(await rowsHeld(demo)).toBe(transaction - 1);
      expect(await demo.import(statement(transaction))).toMatchObject({ written: 1 });
      await killBrowser(context, profile);
      if (transaction === 1) await tearLog(profile, promised);
    }

    expect(await rowsHeldAtStart(profile, serverUrl)).toBe(2);
  });
}

// At a start the browser undoes what was under way when it was killed, and writes that behind the header.
test("a browser that only reads after such a kill, and is closed, loses nothing", async ({ profile, serverUrl }) => {
  const context = await launch(profile, serverUrl);
  const demo = await openDemo(context, serverUrl);
  await demo.import(statement(1));
  await killBrowser(context, profile);
  await tearLog(profile, 16);

  expect(await rowsHeldAtStart(profile, serverUrl)).toBe(1);
  expect(await rowsHeldAtStart(profile, serverUrl)).toBe(1);
});

// Chromium deletes a database at the next start when two of its writing transactions were under way at
// a kill: it finds the lock of the database taken twice. One kill in ten lost everything before all
// writing transactions had one object store in common, which lets only one of them run at a time.
test("no two transactions can be writing when the browser is killed", async ({ demo, page }) => {
  await page.addInitScript(() => {
    const begin = IDBDatabase.prototype.transaction;
    const scopes = new Set<string>();
    Object.assign(globalThis, { writingScopes: scopes });
    IDBDatabase.prototype.transaction = function (stores, mode, options) {
      if (mode === "readwrite") scopes.add([stores].flat().join(" "));
      return begin.call(this, stores, mode, options);
    };
  });
  await page.reload();
  await demo.import(statement(1));
  await demo.account("7");
  for (let move = 0; move < 10; move += 1) await demo.move("Deposit", "1");
  await page.getByRole("link", { name: "Storage", exact: true }).click();
  await page.getByRole("button", { name: "Rebuild Balances" }).click();
  await expect(page.getByText(/^Rebuilt from/)).toBeVisible();

  const scopes = await page.evaluate(() => [
    ...(globalThis as unknown as { writingScopes: Set<string> }).writingScopes,
  ]);
  const [first = "", ...others] = scopes;
  const shared = others.reduce(
    (stores, scope) => stores.filter((store) => scope.split(" ").includes(store)),
    first.split(" "),
  );

  expect(scopes.length).toBeGreaterThan(1);
  expect(shared).not.toEqual([]);
});

function statement(transaction: number): StatementFile {
  return {
    name: `${transaction}.csv`,
    text: `transaction_id,account_id,date,direction,amount\n${transaction},7,1993-01-01,credit,100.00\n`,
  };
}

/** Starts the browser, looks for a second, and closes it as a person does. */
async function rowsHeldAtStart(profile: string, serverUrl: string): Promise<number> {
  const context = await launch(profile, serverUrl);
  const demo = await openDemo(context, serverUrl);
  const held = await rowsHeld(demo);
  await demo.page.waitForTimeout(1_000);
  await context.close();
  return held;
}

async function openDemo(context: BrowserContext, serverUrl: string): Promise<Demo> {
  const page = context.pages()[0] ?? (await context.newPage());
  await page.goto(serverUrl);
  return new Demo(page);
}

/** How many transactions the ledger holds: all events but one opening an account. */
async function rowsHeld(demo: Demo): Promise<number> {
  return (await demo.figure("Events")) - (await demo.figure("Streams"));
}

/** Waits until so many rows are shown as written, and says how many they were at the last look. */
async function acknowledgedAfter(demo: Demo, rows: number): Promise<number> {
  const shown = await demo.page.waitForFunction(
    (wanted) => {
      const count = Number(document.querySelector(".progress strong")?.textContent?.replaceAll(",", ""));
      return count >= wanted ? count : false;
    },
    rows,
    { polling: 5, timeout: 60_000 },
  );
  return (await shown.jsonValue()) || 0;
}

/** Leaves the header of a record that promises so many bytes, the first ones of some more, as a kill does. */
async function tearLog(profile: string, promised: number): Promise<void> {
  const databases = join(profile, "Default", "IndexedDB");
  const [database = ""] = (await readdir(databases)).filter((name) => name.endsWith(".leveldb"));
  const [log = ""] = (await readdir(join(databases, database))).filter((name) => name.endsWith(".log"));
  const [checksum, length, first] = [[1, 2, 3, 4], [promised & 255, promised >> 8], 2];
  await appendFile(join(databases, database, log), Uint8Array.of(...checksum, ...length, first));
}
