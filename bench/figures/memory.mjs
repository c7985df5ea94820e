// What the page's process takes while a million events are ingested and rebuilt, above what it takes when idle:
// resident memory, as Linux tells it, looked at every 20 ms. In a browser of its own with one page.

import { readFileSync } from "node:fs";
import { setTimeout } from "node:timers/promises";

export const figure = {
  id: "memory",
  what: "peak memory of the page in ingest and rebuild of 1,031,142 events, above the idle page",
  unit: "MiB",
  better: "lower",
  once: true,
  stores: ["everfold"],
  limit: { atMost: 150 },

  async sample(run, { store }) {
    const rows = run.ledger.rows.length;
    const browser = await run.launch();
    try {
      return await browser.withPage(store, async (page) => {
        await page.evaluate(async (rows) => {
          globalThis.ledger = await bench.events(0, rows);
        }, rows);
        await setTimeout(1_000);
        const resident = await residentMemory(page);
        const idle = resident();
        let peak = idle;
        const watch = setInterval(() => {
          peak = Math.max(peak, resident());
        }, 20);
        await page.evaluate(work, run.quick ? rows : 21 * rows).finally(() => clearInterval(watch));
        return (peak - idle) / 1024;
      });
    } finally {
      await browser.close();
    }
  },
};

/** Runs in the page. */
async function work(count) {
  const store = await bench.open({ database: "memory", durability: "relaxed", projection: true });
  await store.ingest(bench.replayed(globalThis.ledger, count, 4_000));
  await store.balance("none");
  await store.rebuild();
  await store.close();
}

/** Reads the KiB that the renderer holds: the process that most lately used the processor for this page. */
async function residentMemory(page) {
  const browser = await page.context().browser().newBrowserCDPSession();
  const renderers = async () => {
    const { processInfo } = await browser.send("SystemInfo.getProcessInfo");
    return new Map(processInfo.filter(({ type }) => type === "renderer").map(({ id, cpuTime }) => [id, cpuTime]));
  };
  const before = await renderers();
  await page.evaluate(() => {
    for (const end = performance.now() + 300; performance.now() < end; );
  });
  const after = await renderers();
  const [[id]] = [...after].sort(
    ([a, timeA], [b, timeB]) => timeB - (before.get(b) ?? 0) - (timeA - (before.get(a) ?? 0)),
  );
  return () => Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${id}/status`, "utf8"))?.[1]);
}
