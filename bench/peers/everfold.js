// everfold through its public API only, as its users have it.

import { openStore, rustAggregate, rustProjection } from "everfold";
import { evolveBalance } from "../ledger/account.js";
import * as definitions from "./everfold-definitions.js";

// `examples/rust-module`, whose balances are those of the definitions in JavaScript.
const inRust = { account: rustAggregate("account"), balances: rustProjection("balances") };

const glue = new URL("./rust_module.js", import.meta.url);

const factsOf = (events) => events.map(({ type, data, occurredAt }) => ({ type, data, occurredAt }));

/** @type {import("./store").Open} */
export async function open({ database, durability, projection, rust = false, sync }) {
  const { account, balances } = rust ? inRust : definitions;
  const store = await openStore({
    ...(rust && { engine: () => import("./rust_module.js") }),
    name: database,
    aggregates: [account],
    projections: projection ? [balances] : [],
    durability,
    ...(sync && { sync: { ...sync, subject: "bench", token: () => sync.token } }),
  });
  const view = projection ? store.view(balances) : undefined;

  return {
    append: (streamId, expectedVersion, events) =>
      store.append(streamId, factsOf(events), {
        expectedVersion: expectedVersion === 0 ? "no-stream" : expectedVersion,
      }),
    load: (accountId) => store.load(account, accountId),
    /** Snapshots are everfold's own business: a load that crosses a hundred events makes one due, idle time keeps it. */
    async snapshot(accountId) {
      const { snapshots } = await store.stats();
      await store.load(account, accountId);
      while ((await store.stats()).snapshots === snapshots) {
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
    },
    balance: async (accountId) => (await view.get(`account-${accountId}`))?.balance,
    ingest: (batches) => store.ingest(batches),
    async scan() {
      const rows = new Map();
      let events = 0;
      for await (const batch of store.read({}).batches()) {
        for (const event of batch) rows.set(event.streamId, evolveBalance(rows.get(event.streamId), event));
        events += batch.length;
      }
      return { events, accounts: rows.size, total: [...rows.values()].reduce((sum, row) => sum + row.balance, 0) };
    },
    /** Times from the call to the last fold, and from there to the switch. */
    async rebuild({ workers } = {}) {
      const start = performance.now();
      let folded = start;
      await store.rebuild(balances, {
        ...(workers && { workers, module: rust ? glue : new URL("./everfold-definitions.js", import.meta.url) }),
        onProgress({ phase }) {
          if (phase === "folding") folded = performance.now();
        },
      });
      return { foldedMs: folded - start, switchedMs: performance.now() - folded };
    },
    async project(range) {
      (await store.project(balances, range)).dispose();
    },
    /** Resolves when the log has at least so many confirmed commits, and nothing waits for the server. */
    confirmed: (commits) =>
      new Promise((resolve, reject) => {
        const look = ({ state, pending, commits: confirmed, blockedBy }) => {
          if (blockedBy) reject(blockedBy);
          if (state === "idle" && pending === 0 && confirmed >= commits) resolve();
        };
        store.sync.subscribe(look);
        look(store.sync.status());
      }),
    pause: () => store.sync.pause(),
    resume: () => store.sync.resume(),
    close: () => store.close(),
  };
}
