/** Opens the accounts of the household in a space that has none, so that there is something to try. */
import { isEverfoldError } from "everfold";
import { account } from "../ledger.ts";
import type { Hellers } from "../money.ts";
import { markUsed } from "./arrangement.ts";
import type { DeviceStore } from "./device-store.ts";

const ACCOUNTS: readonly { readonly id: string; readonly holds: Hellers }[] = [
  { id: "Household", holds: 12_000_00 },
  { id: "Holiday", holds: 30_000_00 },
  { id: "Groceries", holds: 4_500_00 },
];

/** Waits until the device has all that the server has. Another device may have been quicker: then there is nothing to do. */
export async function fillFirst(store: DeviceStore, signal: AbortSignal): Promise<void> {
  await caughtUp(store, signal);
  const { commits, pending } = store.sync.status();
  if (commits === 0 && pending === 0) {
    for (const { id, holds } of ACCOUNTS) {
      try {
        await store.execute(account, id, { type: "Open", data: { owner: id } });
        await store.execute(account, id, { type: "Deposit", data: { amount: holds, note: "To begin with" } });
      } catch (error) {
        // Opened meanwhile by a device elsewhere.
        if (!isEverfoldError(error, "refused")) throw error;
      }
    }
  }
  markUsed();
}

/** However long the server is away: without it nobody knows what there is. */
async function caughtUp(store: DeviceStore, signal: AbortSignal): Promise<void> {
  for (;;) {
    await connected(store, signal);
    // Somebody works here already.
    if (store.sync.status().pending > 0) return;
    try {
      await store.sync.now({ signal });
      return;
    } catch (error) {
      if (signal.aborted || isEverfoldError(error, "store-closed")) throw error;
    }
  }
}

function connected(store: DeviceStore, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const look = (): void => {
      const { state, lastContact } = store.sync.status();
      if (state !== "idle" || lastContact === null) return;
      stop();
      resolve();
    };
    const end = store.sync.subscribe(look);
    const giveUp = (): void => {
      stop();
      reject(signal.reason);
    };
    const stop = (): void => {
      end();
      signal.removeEventListener("abort", giveUp);
    };
    signal.addEventListener("abort", giveUp);
    look();
  });
}
