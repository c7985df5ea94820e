// A tab that is frozen, as Chromium does to one that nobody sees for minutes. It does not for one that is driven, so the
// debugger stops it: no timer runs, nothing is heard, its locks stay its own.

import type { Page } from "@playwright/test";

declare global {
  interface Window {
    /** Transactions of the page that have not ended. */
    transactions: Set<IDBTransaction>;
    /** What a frozen page does first when it wakes up, before it hears anything. */
    awake?: () => void;
  }
}

/**
 * To be asked for before the page opens a database. What comes back freezes the page, and gives what wakes it.
 *
 * It stops between two transactions: Chromium never freezes a tab while another waits for one of its transactions, and
 * one that is open would keep all other tabs waiting, frozen or not.
 */
export async function freezer(page: Page): Promise<() => Promise<() => Promise<void>>> {
  await page.evaluate(() => {
    const begin = IDBDatabase.prototype.transaction;
    const transactions = new Set<IDBTransaction>();
    window.transactions = transactions;
    IDBDatabase.prototype.transaction = function (stores, mode, options) {
      const transaction = begin.call(this, stores, mode, options);
      transactions.add(transaction);
      for (const end of ["complete", "abort"]) {
        transaction.addEventListener(end, () => transactions.delete(transaction));
      }
      return transaction;
    };
  });
  return async () => {
    const session = await page.context().newCDPSession(page);
    await session.send("Debugger.enable");
    const frozen = new Promise((resolve) => session.once("Debugger.paused", resolve));
    await page.evaluate(() => {
      const stop = (): void => {
        if (window.transactions.size > 0) {
          setTimeout(stop);
          return;
        }
        // biome-ignore lint/suspicious/noDebugger: it is what freezes the page
        debugger;
        window.awake?.();
      };
      setTimeout(stop);
    });
    await frozen;
    return async () => {
      await session.send("Debugger.disable");
      await session.detach();
    };
  };
}
