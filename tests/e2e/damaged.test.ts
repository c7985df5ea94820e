// A ledger whose database is damaged: it says so, and one can start over.

import type { Page } from "@playwright/test";
import { expect, test } from "./demo.ts";

test("a ledger that is too damaged to open can be erased", async ({ demo, page, complaints }) => {
  await demo.import({
    name: "one.csv",
    text: "transaction_id,account_id,date,direction,amount\n1,7,1993-01-01,credit,100.00\n",
  });
  await damage(page);
  await page.reload();
  await expect(page.getByRole("heading", { name: "The ledger did not open" })).toBeVisible();
  await expect(page.getByText("storage-corrupt")).toBeVisible();

  await page.getByRole("button", { name: "Erase the ledger" }).click();
  await page.getByRole("button", { name: "Erase everything" }).click();

  await expect(page.getByRole("button", { name: "Try with a sample bank" })).toBeVisible();
  // What did not open is told to the console too.
  expect(complaints.splice(0).filter((line) => !line.includes("damaged"))).toEqual([]);
});

/** Spoils every byte of the records that events are kept in. */
async function damage(page: Page): Promise<void> {
  await page.evaluate(async () => {
    const opening = indexedDB.open("ledger");
    const database = await new Promise<IDBDatabase>((resolve, reject) => {
      opening.onsuccess = () => resolve(opening.result);
      opening.onerror = () => reject(opening.error);
    });
    const stores = ["blocks", "journal", "segments"];
    const work = database.transaction(stores, "readwrite");
    for (const name of stores) {
      const records = work.objectStore(name).openCursor();
      records.onsuccess = () => {
        const record = records.result;
        if (!record) return;
        for (const part of [record.value, ...Object.values(record.value)]) if (part instanceof Uint8Array) part.fill(7);
        record.update(record.value);
        record.continue();
      };
    }
    await new Promise((resolve) => work.addEventListener("complete", resolve));
    database.close();
  });
}
