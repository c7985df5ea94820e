// An event store on `idb` as a good engineer would write it by hand: what users would do without us.
//
// One record an event, keyed by an automatic position; a unique index over [streamId, version]; the
// expected version checked inside the readwrite transaction, so it holds across tabs; snapshots; a
// projection whose row and checkpoint are written in the transaction of the append.
//
// Tuned where the promises allow: the requests of a transaction are issued together unless one needs
// another's answer, and reads use `getAll`. Of seven ways to check and add that were measured, looking up
// the key of the expected version beside the `add` was the fastest that refuses a gap as well as a race:
// 1,309 commits/s against 982 for reading the head with a cursor first (relaxed, medians of 5).

import { openDB } from "idb";
import { evolveAccount, evolveBalance, initialAccount } from "../ledger/account.js";
import { recordsOfCommit, streamOf } from "../ledger/record.js";
import { Conflict } from "./conflict.js";

const projectionName = "balances";
const scanPage = 2_000;

/** @type {import("./store").Open} */
export async function open({ database, durability, projection }) {
  const db = await openDB(database, 1, { upgrade: createSchema });
  const appendStores = projection ? ["events", "balances", "checkpoints"] : ["events"];

  return {
    async append(streamId, expectedVersion, events) {
      const tx = db.transaction(appendStores, "readwrite", { durability });
      const done = tx.done.catch((error) => {
        throw isLostRace(error) ? new Conflict(streamId, expectedVersion, { cause: error }) : error;
      });
      const log = tx.objectStore("events");
      // The unique index refuses a version that exists; this look-up refuses one that would leave a gap.
      const checked = expectedVersion > 0 && log.index("byStream").getKey([streamId, expectedVersion]);
      const added = recordsOfCommit(streamId, expectedVersion, events).map((record) => log.add(record));
      const projected = projection && project(tx, streamId, events, added);
      for (const request of added) request.catch(() => {}); // a refused add aborts, which `done` reports
      if (checked && (await checked) === undefined) tx.abort();
      await Promise.all([projected, done]);
    },

    async load(accountId) {
      const streamId = streamOf(accountId);
      const tx = db.transaction(["snapshots", "events"]);
      const snapshot = await tx.objectStore("snapshots").get(streamId);
      const base = snapshot ?? { state: initialAccount(), version: 0 };
      const tail = await tx.objectStore("events").index("byStream").getAll(versionsAfter(streamId, base.version));
      return { state: tail.reduce(evolveAccount, base.state), version: base.version + tail.length };
    },

    async snapshot(accountId) {
      const { state, version } = await this.load(accountId);
      await db.put("snapshots", { streamId: streamOf(accountId), version, state });
    },

    /** Checks in the same transaction that the projection has every event, and catches up if not. */
    async balance(accountId) {
      const tx = db.transaction(["balances", "checkpoints", "events"]);
      const [row, checkpoint, last] = await Promise.all([
        tx.objectStore("balances").get(streamOf(accountId)),
        tx.objectStore("checkpoints").get(projectionName),
        tx.objectStore("events").openKeyCursor(null, "prev"),
      ]);
      if ((checkpoint ?? 0) === (last?.key ?? 0)) return row?.balance;
      await catchUp(db);
      return (await db.get("balances", streamOf(accountId)))?.balance;
    },

    /** A version check for every event costs as much as the event; the unique index makes it anyway. */
    async ingest(batches) {
      for await (const events of batches) {
        const tx = db.transaction("events", "readwrite", { durability });
        for (const event of events) {
          const [record] = recordsOfCommit(event.streamId, event.version - 1, [event]);
          tx.store.add(record).catch(() => {});
        }
        tx.commit();
        await tx.done;
      }
    },

    async scan() {
      const rows = new Map();
      let events = 0;
      for await (const page of pagesAfter(db, 0)) {
        for (const event of page) rows.set(event.streamId, evolveBalance(rows.get(event.streamId), event));
        events += page.length;
      }
      return { events, accounts: rows.size, total: [...rows.values()].reduce((sum, row) => sum + row.balance, 0) };
    },

    async close() {
      db.close();
    },
  };
}

function createSchema(db) {
  const events = db.createObjectStore("events", { keyPath: "position", autoIncrement: true });
  events.createIndex("byStream", ["streamId", "version"], { unique: true });
  db.createObjectStore("snapshots", { keyPath: "streamId" });
  db.createObjectStore("balances");
  db.createObjectStore("checkpoints");
}

const versionsAfter = (streamId, version) =>
  IDBKeyRange.bound([streamId, version + 1], [streamId, Number.MAX_SAFE_INTEGER]);

/** The two ways in which the transaction ends when the stream is not at the expected version. */
const isLostRace = (error) => error.name === "AbortError" || error.name === "ConstraintError";

/** The row and the checkpoint in the append's own transaction; a refused append takes them with it. */
async function project(tx, streamId, events, added) {
  try {
    const rows = tx.objectStore("balances");
    const [row, ...positions] = await Promise.all([rows.get(streamId), ...added]);
    await Promise.all([
      rows.put(events.reduce(evolveBalance, row), streamId),
      tx.objectStore("checkpoints").put(positions.at(-1), projectionName),
    ]);
  } catch (error) {
    if (!isLostRace(error)) throw error;
  }
}

/** For what was written without the projection: pages of events, each folded in with its checkpoint. */
async function catchUp(db) {
  const start = (await db.get("checkpoints", projectionName)) ?? 0;
  for await (const page of pagesAfter(db, start)) {
    const tx = db.transaction(["balances", "checkpoints"], "readwrite");
    const rows = tx.objectStore("balances");
    const byStream = Map.groupBy(page, (event) => event.streamId);
    await Promise.all([
      ...[...byStream].map(async ([streamId, events]) =>
        rows.put(events.reduce(evolveBalance, await rows.get(streamId)), streamId),
      ),
      tx.objectStore("checkpoints").put(page.at(-1).position, projectionName),
      tx.done,
    ]);
  }
}

async function* pagesAfter(db, position) {
  for (let last = position; ; ) {
    const page = await db.getAll("events", IDBKeyRange.lowerBound(last, true), scanPage);
    if (page.length > 0) yield page;
    if (page.length < scanPage) return;
    last = page.at(-1).position;
  }
}
