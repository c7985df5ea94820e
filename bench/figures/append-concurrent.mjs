// Commits of one event with 64 of them under way: what imports, tools and many small writers do.

export const figure = {
  id: "append-concurrent",
  what: "commits of one event, 64 in flight, version checked across tabs",
  unit: "commits/s",
  better: "higher",
  durabilities: ["relaxed", "strict"],
  limit: { ratioToIdb: 12 },
  reference: { idb: { relaxed: 1_200 } },

  sample: (run, { store, durability, round }) =>
    run.browser.withPage(store, (page) =>
      page.evaluate(
        async ({ database, durability, ms }) => {
          const store = await bench.open({ database, durability, projection: false });
          const rate = await bench.commitRate(store, await bench.events(0, 30_000), { inFlight: 64, ms, warmUp: 640 });
          await store.close();
          return rate;
        },
        { database: `append-concurrent-${durability}-${round}`, durability, ms: run.quick ? 400 : 1_500 },
      ),
    ),
};
