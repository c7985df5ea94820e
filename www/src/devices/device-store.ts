/** The store of each device, opened once a tab and switched on and off with the arrangement. */
import { deleteStore, openStore } from "everfold";
import { balances } from "../balances.ts";
import { account, transfer } from "../ledger.ts";
import { arrangement, isOffline, onArrangementChange, startOver } from "./arrangement.ts";
import { DEVICES, type Device, databaseOf } from "./device.ts";
import { SERVER, tokenFor } from "./sync-server.ts";

// #region open
function openDevice(device: Device, space: string) {
  const { subject } = device;
  return openStore({
    name: databaseOf(device),
    aggregates: [account],
    decisions: [transfer],
    projections: [balances],
    sync: { url: SERVER, space, subject, token: () => tokenFor(subject, space) },
  });
}
// #endregion

/** The store of a device with its definitions known to the compiler. */
export type DeviceStore = Awaited<ReturnType<typeof openDevice>>;

const stores = new Map<Device["key"], Promise<DeviceStore>>();
/** What ends that a store follows its switch. */
const ends: (() => void)[] = [];

/** The same promise every time. The store stays open while the tab lives, as a device stays on. */
export function deviceStore(device: Device): Promise<DeviceStore> {
  const known = stores.get(device.key);
  if (known) return known;
  const { space } = arrangement();
  const opening = openDevice(device, space).then((store) => {
    const obey = (): void => {
      // Another tab has started over, and deleted what is open here.
      if (arrangement().space !== space) location.reload();
      else if (isOffline(device)) store.sync.pause();
      else store.sync.resume();
    };
    ends.push(onArrangementChange(obey));
    obey();
    return store;
  });
  stores.set(device.key, opening);
  return opening;
}

/** Forgets every device, with what it has not sent, and begins in another space. */
export async function forgetDevices(): Promise<void> {
  for (const end of ends.splice(0)) end();
  for (const opening of stores.values()) {
    await opening.then(
      (store) => store.close(),
      () => undefined,
    );
  }
  for (const device of DEVICES) await deleteStore(databaseOf(device), { evenIfPending: true });
  startOver();
  location.reload();
}
