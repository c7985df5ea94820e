// One commit of a device that is online: from the call until the server has taken it, on its disk, and that is stored here
// too. One after the other, over loopback.

import { syncServer, syncWith } from "../fixtures/sync-server.mjs";

export const figure = {
  id: "confirm-latency",
  what: "a commit until it is confirmed, median of 200",
  unit: "ms",
  better: "lower",
  stores: ["everfold"],
  limit: { atMost: 15 },

  prepare: syncServer,

  async sample(run, { store, round }) {
    const server = await syncServer(run, store);
    const options = {
      database: `confirm-${round}`,
      count: run.quick ? 50 : 220,
      sync: await syncWith(server, `confirm-${round}`),
    };
    const times = await run.browser.withPage(store, (page) => page.evaluate(confirm, options));
    const sorted = times.slice(20).sort((a, b) => a - b);
    return { value: sorted[sorted.length >> 1], parts: { ninetieth: sorted[Math.floor(sorted.length * 0.9)] } };
  },
};

/** Runs in the page: milliseconds of each commit. */
async function confirm({ database, count, sync }) {
  const store = await bench.open({ database, durability: "strict", projection: false, sync });
  await store.confirmed(0);
  const times = [];
  for (const event of await bench.events(0, count)) {
    const start = performance.now();
    const receipt = await store.append(event.streamId, event.version - 1, [event]);
    await receipt.confirmed();
    times.push(performance.now() - start);
  }
  await store.close();
  return times;
}
