// The same event store on Dexie: the same schema and promises as the one on `idb`, in Dexie's own ways.
//
// Tuned where the promises allow: requests of a transaction are issued together, bulk writes use
// `bulkAdd`, and the durability is Dexie's own option.

import { Dexie } from "dexie";
import { evolveAccount, evolveBalance, initialAccount } from "../ledger/account.js";
import { recordsOfCommit, streamOf } from "../ledger/record.js";
import { Conflict } from "./conflict.js";

const projectionName = "balances";
const scanPage = 2_000;

/** @type {import("./store").Open} */
export async function open({ database, durability, projection }) {
  const db = new Dexie(database, { chromeTransactionDurability: durability });
  db.version(1).stores({
    events: "++position, &[streamId+version]",
    snapshots: "streamId",
    balances: "",
    checkpoints: "",
  });
  await db.open();
  const appendTables = projection ? [db.events, db.balances, db.checkpoints] : [db.events];

  return {
    async append(streamId, expectedVersion, events) {
      const records = recordsOfCommit(streamId, expectedVersion, events);
      try {
        await db.transaction("rw", appendTables, async () => {
          const [head, position, row] = await Promise.all([
            // The unique index refuses a version that exists; this look-up refuses one that would leave a gap.
            expectedVersion > 0 ? db.events.where({ streamId, version: expectedVersion }).primaryKeys() : ["start"],
            records.length === 1 ? db.events.add(records[0]) : db.events.bulkAdd(records),
            projection ? db.balances.get(streamId) : undefined,
          ]);
          if (head.length === 0) throw new Conflict(streamId, expectedVersion);
          if (projection) {
            await Promise.all([
              db.balances.put(events.reduce(evolveBalance, row), streamId),
              db.checkpoints.put(position, projectionName),
            ]);
          }
        });
      } catch (error) {
        throw error.name === "ConstraintError" || error.name === "BulkError"
          ? new Conflict(streamId, expectedVersion, { cause: error })
          : error;
      }
    },

    load(accountId) {
      const streamId = streamOf(accountId);
      return db.transaction("r", [db.snapshots, db.events], async () => {
        const snapshot = await db.snapshots.get(streamId);
        const base = snapshot ?? { state: initialAccount(), version: 0 };
        const tail = await versionsAfter(db, streamId, base.version).toArray();
        return { state: tail.reduce(evolveAccount, base.state), version: base.version + tail.length };
      });
    },

    async snapshot(accountId) {
      const { state, version } = await this.load(accountId);
      await db.snapshots.put({ streamId: streamOf(accountId), version, state });
    },

    /** Checks in the same transaction that the projection has every event, and catches up if not. */
    async balance(accountId) {
      const [row, checkpoint, last] = await db.transaction("r", [db.balances, db.checkpoints, db.events], () =>
        Promise.all([
          db.balances.get(streamOf(accountId)),
          db.checkpoints.get(projectionName),
          db.events.reverse().limit(1).primaryKeys(),
        ]),
      );
      if ((checkpoint ?? 0) === (last[0] ?? 0)) return row?.balance;
      await catchUp(db);
      return (await db.balances.get(streamOf(accountId)))?.balance;
    },

    async ingest(batches) {
      for await (const events of batches) {
        await db.events.bulkAdd(events.map((event) => recordsOfCommit(event.streamId, event.version - 1, [event])[0]));
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

const versionsAfter = (db, streamId, version) =>
  db.events.where("[streamId+version]").between([streamId, version + 1], [streamId, Dexie.maxKey]);

/** For what was written without the projection: pages of events, each folded in with its checkpoint. */
async function catchUp(db) {
  const start = (await db.checkpoints.get(projectionName)) ?? 0;
  for await (const page of pagesAfter(db, start)) {
    const byStream = Map.groupBy(page, (event) => event.streamId);
    const keys = [...byStream.keys()];
    await db.transaction("rw", [db.balances, db.checkpoints], async () => {
      const rows = await db.balances.bulkGet(keys);
      await db.balances.bulkPut(
        keys.map((key, index) => byStream.get(key).reduce(evolveBalance, rows[index])),
        keys,
      );
      await db.checkpoints.put(page.at(-1).position, projectionName);
    });
  }
}

async function* pagesAfter(db, position) {
  for (let last = position; ; ) {
    const page = await db.events.where(":id").above(last).limit(scanPage).toArray();
    if (page.length > 0) yield page;
    if (page.length < scanPage) return;
    last = page.at(-1).position;
  }
}
