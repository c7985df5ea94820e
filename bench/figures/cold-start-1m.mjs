// From the start of a navigation to the first balance with a million events stored, relative to the same with
// 10,000 of them; each in a new browser process.

import { million } from "../fixtures/million.mjs";

export const figure = {
  id: "cold-start-1m",
  what: "page load to first balance, a million events stored relative to 10,000",
  unit: "ratio",
  better: "lower",
  limit: { atMost: 1.3 },

  async prepare(run, store) {
    await million(run, store);
    await tenThousand(run, store);
  },

  async sample(run, { store }) {
    const large = await coldStart(run, store, (await million(run, store)).database);
    const small = await coldStart(run, store, await tenThousand(run, store));
    return { value: large / small, parts: { million: large, tenThousand: small } };
  },
};

function tenThousand(run, store) {
  return run.once(`ten thousand, ${store}`, async () => {
    const database = "ten-thousand";
    await run.browser.withPage(store, (page) =>
      page.evaluate(async (database) => {
        const store = await bench.open({ database, durability: "relaxed", projection: true });
        await store.ingest(bench.pagesOfEvents(10_000, 2_000));
        await store.balance("none");
        await new Promise((resolve) => setTimeout(resolve, 1_000));
        await store.close();
      }, database),
    );
    return database;
  });
}

async function coldStart(run, store, database) {
  const [account] = [...run.ledger.balancesAfter(1_000).keys()];
  await run.browser.restart();
  const visit = async (page) => {
    await page.waitForFunction(() => globalThis.started !== undefined);
    return page.evaluate(() => globalThis.started);
  };
  const { balance, firstBalance } = await run.browser.withPage(
    store,
    visit,
    `/start?database=${database}&account=${account}`,
  );
  if (balance === undefined) throw new Error(`${store} knows no balance of ${account}`);
  return firstBalance;
}
