// What a million events take on disk when all has settled: compacted, closed, and 10 s after a restart.
//
// It is what the profile has grown by. The others store a tenth, for the time that it takes them.

import { setTimeout } from "node:timers/promises";

export const figure = {
  id: "bytes-per-event",
  what: "disk space of 1,031,142 events",
  unit: "bytes",
  better: "lower",
  once: true,
  limit: { atMost: 100 },

  async sample(run, { store }) {
    const rows = run.ledger.rows.length;
    const all = run.quick ? rows : 21 * rows;
    const count = store === "everfold" ? all : Math.ceil(all / 10);
    // A profile of its own: what others have deleted shrinks the shared one at times of the browser's choice.
    const browser = await run.launch();
    try {
      const before = await settled(browser, run);
      await browser.withPage(store, (page) => page.evaluate(fill, { rows, count }));
      return ((await settled(browser, run)) - before) / count;
    } finally {
      await browser.close();
    }
  },
};

/** Bytes of the profile after a restart and 10 s. */
async function settled(browser, { quick }) {
  await browser.restart();
  await setTimeout(quick ? 1_000 : 10_000);
  return browser.bytesOnDisk();
}

/** Runs in the page. */
async function fill({ rows, count }) {
  const ledger = await bench.events(0, rows);
  const store = await bench.open({ database: "bytes-per-event", durability: "relaxed", projection: false });
  await store.ingest(bench.replayed(ledger, count, 4_000));
  await store.compact?.();
  await store.close();
}
