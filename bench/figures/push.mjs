// What was done offline, pushed: from the moment when the server may be talked to, until the last commit is confirmed and
// that is stored. At the server's default limits, into SQLite with synchronous=full.

import { syncServer, syncWith } from "../fixtures/sync-server.mjs";

export const figure = {
  id: "push",
  what: "push of 10,000 pending commits, until all are confirmed",
  unit: "commits/s",
  better: "higher",
  stores: ["everfold"],
  limit: { atLeast: 10_000 },

  prepare: syncServer,

  async sample(run, { store, round }) {
    const server = await syncServer(run, store);
    const count = run.quick ? 1_000 : 10_000;
    const sync = await syncWith(server, `push-${round}`);
    const options = { database: `push-${round}`, count, sync: { ...sync, batchSize: 2_000 } };
    const seconds = await run.browser.withPage(store, (page) => page.evaluate(push, options));
    return { value: count / seconds };
  },
};

/** Runs in the page. */
async function push({ database, count, sync }) {
  const store = await bench.open({ database, durability: "strict", projection: false, sync });
  await store.confirmed(0);
  store.pause();
  await bench.commitEach(store, await bench.events(0, count), 64);
  const start = performance.now();
  store.resume();
  await store.confirmed(count);
  const seconds = (performance.now() - start) / 1000;
  await store.close();
  return seconds;
}
