// Commits of one event, each awaited before the next: what a user feels when saving.

export const figure = {
  id: "append-sequential",
  what: "sequential commits of one event, version checked across tabs",
  unit: "commits/s",
  better: "higher",
  durabilities: ["relaxed", "strict"],
  limit: { ratioToIdb: 1.2 },
  reference: { idb: { relaxed: 1_300 } },

  sample: (run, { store, durability, round }) =>
    run.browser.withPage(store, (page) =>
      page.evaluate(
        async ({ database, durability, ms }) => {
          const store = await bench.open({ database, durability, projection: false });
          const rate = await bench.commitRate(store, await bench.events(0, 16_000), { inFlight: 1, ms, warmUp: 100 });
          await store.close();
          return rate;
        },
        { database: `append-sequential-${durability}-${round}`, durability, ms: run.quick ? 400 : 1_500 },
      ),
    ),
};
