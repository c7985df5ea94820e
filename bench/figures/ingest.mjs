// Bulk: the ledger replayed to a million events and written as fast as the store can.
//
// The page makes the events, batch by batch, from one round of the ledger that it has before the clock
// starts. The others get a tenth of the amount, which is in their favour: all of them slow down as their
// indexes grow.

const batchSize = 4_000;

export const figure = {
  id: "ingest",
  what: "bulk ingest of 1,031,142 events",
  unit: "events/s",
  better: "higher",
  durabilities: ["relaxed", "strict"],
  limit: { atLeast: { relaxed: 250_000 }, ratioToSqlite: 5 },

  async sample(run, { store, durability, round }) {
    const rows = run.ledger.rows.length;
    const all = run.quick ? rows : 21 * rows;
    const count = store === "everfold" ? all : Math.ceil(all / 10);
    const database = `ingest-${durability}-${round}`;
    const options = { database, durability, rows, count, batchSize };
    const { seconds, longestTask, found } = await run.browser.withPage(store, (page) => page.evaluate(ingest, options));
    const sum = [...run.ledger.balancesAfter(count).values()].reduce((total, balance) => total + balance, 0);
    if (found.events !== count || found.total !== sum) throw new Error(`${store} holds ${JSON.stringify(found)}`);
    return { value: count / seconds, parts: { longestTask } };
  },
};

/** Runs in the page. The look at what was written is after the clock; the database is deleted for those to come. */
async function ingest({ database, durability, rows, count, batchSize }) {
  const ledger = await bench.events(0, rows);
  const store = await bench.open({ database, durability, projection: false });
  await new Promise((resolve) => setTimeout(resolve, 500));
  let longestTask = 0;
  const observer = new PerformanceObserver((list) => {
    for (const { duration } of list.getEntries()) longestTask = Math.max(longestTask, duration);
  });
  observer.observe({ entryTypes: ["longtask"] });
  const start = performance.now();
  await store.ingest(bench.replayed(ledger, count, batchSize));
  const seconds = (performance.now() - start) / 1000;
  await new Promise((resolve) => setTimeout(resolve, 100));
  observer.disconnect();
  const found = await store.scan();
  await store.close();
  // Only its own: what other figures have stored is still needed.
  for (const { name } of await indexedDB.databases()) if (name.includes(database)) indexedDB.deleteDatabase(name);
  return { seconds, longestTask, found };
}
