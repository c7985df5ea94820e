/** The end of a device's log, read again whenever something in it or in its sync has changed. */
import { isEverfoldError } from "everfold";
import { useEffect, useState } from "react";
import type { DeviceStore } from "./device-store.ts";
import type { LoggedCommit, ShownLog } from "./log.ts";

/** Enough for every list and figure of the page. */
const EVENTS_READ = 120;

/** Null for a log that has not been read yet. */
export function useDeviceLogs(stores: readonly DeviceStore[]): readonly (ShownLog | null)[] {
  const [logs, setLogs] = useState<ReadonlyMap<DeviceStore, ShownLog>>(new Map());
  useEffect(() => {
    const ends = stores.map((store) => followLog(store, (log) => setLogs((known) => new Map(known).set(store, log))));
    return () => {
      for (const end of ends) end();
    };
  }, [stores]);
  return stores.map((store) => logs.get(store) ?? null);
}

/** Returns what ends it. One read is under way at a time, and the last one sees the last change. */
export function followLog(store: DeviceStore, show: (log: ShownLog) => void): () => void {
  let ended = false;
  let reading = false;
  let again = false;
  const look = async (): Promise<void> => {
    again = true;
    if (reading) return;
    reading = true;
    while (again && !ended) {
      again = false;
      try {
        const log = await readLog(store);
        if (!ended) show(log);
      } catch (error) {
        // Closed by whoever starts over: the page goes with it.
        if (isEverfoldError(error, "store-closed")) return;
        // The device's own panel tells of a store that failed.
        console.warn("the log of a device was not read:", error);
      }
    }
    reading = false;
  };
  const ends = [store.subscribe({}, () => void look()), store.sync.subscribe(() => void look())];
  void look();
  return () => {
    ended = true;
    for (const end of ends) end();
  };
}

async function readLog(store: DeviceStore): Promise<ShownLog> {
  const { commits, hash, confirmedPosition } = store.sync.status();
  const found = new Map<string, LoggedCommit & { events: LoggedCommit["events"][number][] }>();
  let read = 0;
  for await (const event of store.read({ direction: "backward", limit: EVENTS_READ })) {
    read += 1;
    // The status is of one moment and the log of a later one: what was confirmed between them is shown with the next status.
    if (event.status === "confirmed" && event.position > confirmedPosition) continue;
    const { commitId, actor, occurredAt, status } = event;
    const commit = found.get(commitId) ?? { commitId, events: [], actor, occurredAt, status };
    commit.events.unshift(event);
    found.set(commitId, commit);
  }
  const all = [...found.values()].reverse();
  // The read may have begun in the middle of a commit.
  if (read === EVENTS_READ) all.shift();
  return {
    commits,
    hash,
    confirmed: all.filter(({ status }) => status === "confirmed"),
    pending: all.filter(({ status }) => status === "pending"),
  };
}
