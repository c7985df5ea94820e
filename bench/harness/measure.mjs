// Takes the samples of every figure: rounds in which each store is measured once, in turning order.
//
// Interleaving gives both halves of a pair the same weather (other programs, a warm disk, a growing
// profile), and turning the order gives each store every place in a round equally often. A figure that
// fails is reported and the others are still measured.

import { loadavg } from "node:os";
import { root } from "../../scripts/command.mjs";
import { openLedger } from "../ledger/source.mjs";
import { Browser } from "./browser.mjs";
import { describeMachine, describeVersions } from "./machine.mjs";
import { endProgress, progress } from "./progress.mjs";
import { entryOf } from "./report.mjs";
import { serve } from "./server.mjs";
import { startSyncServer } from "./sync-server.mjs";
import { reasonsAgainst } from "./validity.mjs";

/** Resolves to what the JSON file holds. */
export async function measureAll(figures, { bench, stores, pairs, quick, calibration }) {
  const started = Date.now();
  const machine = describeMachine();
  const ledger = openLedger(root);
  console.log(`ledger: ${ledger.description}; load before the run: ${machine.loadAtStart} on ${machine.cores} cores`);

  const needsBrowser = figures.some((figure) => figure.browser !== false);
  const server = needsBrowser ? await serve({ bench, ledger, stores }) : undefined;
  const launch = () => Browser.launch({ bench, origin: server.origin });
  const browser = needsBrowser ? await launch() : undefined;
  const syncServers = [];
  const startServer = async (options) => {
    const started = await startSyncServer({ bench, ...options });
    syncServers.push(started);
    return started;
  };
  const origin = server?.origin;
  const run = {
    bench,
    stores,
    pairs,
    quick,
    ledger,
    browser,
    launch,
    origin,
    startServer,
    progress,
    once: remembering(),
  };
  const measured = [];
  const failures = [];
  try {
    for (const { figure, durability } of figures.flatMap(byDurability)) {
      try {
        measured.push({ figure, durability, samples: await sampleFigure(figure, run, durability) });
      } catch (error) {
        failures.push({ id: figure.id, ...(durability && { durability }), error: error.message });
      }
    }
    const references = needsBrowser && !quick ? await withReference(measured, run, calibration) : [];
    endProgress();
    const invalidBecause = [
      ...(quick ? ["it was made with --quick"] : []),
      ...(needsBrowser && !stores.includes("idb") ? ["the hand-written store was not measured"] : []),
      ...reasonsAgainst(references),
    ];
    return {
      machine: { ...machine, loadAtEnd: Number(loadavg()[0].toFixed(2)) },
      versions: describeVersions(bench, browser?.version),
      date: new Date(started).toISOString(),
      seconds: Math.round((Date.now() - started) / 1000),
      ledger: ledger.origin,
      valid: invalidBecause.length === 0,
      invalidBecause,
      figures: measured.map(({ figure, durability, samples }) => entryOf(figure, durability, samples)),
      failures,
    };
  } finally {
    await browser?.close();
    await server?.close();
    for (const started of syncServers) await started.close();
  }
}

/**
 * The samples of each store, one a round: `{ value, parts? }`, parts being what the figure knows about how
 * its value came about.
 */
async function sampleFigure(figure, run, durability) {
  const stores = run.stores.filter((store) => figure.stores?.includes(store) ?? true);
  const samples = new Map(stores.map((store) => [store, []]));
  for (const store of stores) await figure.prepare?.(run, store);
  const rounds = figure.once ? 1 : run.pairs;
  for (let round = 0; round < rounds; round += 1) {
    for (const store of turned(stores, round)) {
      run.progress(`${figure.id} ${durability ?? ""}: pair ${round + 1} of ${rounds}, ${store}`);
      const answer = await figure.sample(run, { store, durability, round });
      const sample = typeof answer === "number" ? { value: answer } : answer;
      if (!Number.isFinite(sample.value)) throw new Error(`${store} gave ${sample.value}`);
      samples.get(store).push(sample);
    }
  }
  return samples;
}

/** A run of figures without a reference still has to show how fast the hand-written store is that day. */
async function withReference(measured, run, calibration) {
  if (!run.stores.includes("idb") || measured.some(({ figure }) => figure.reference)) return measured;
  const [durability] = calibration.durabilities;
  const samples = await sampleFigure(calibration, { ...run, stores: ["idb"], pairs: 3 }, durability);
  return [...measured, { figure: calibration, durability, samples }];
}

const byDurability = (figure) => (figure.durabilities ?? [undefined]).map((durability) => ({ figure, durability }));

const turned = (list, by) => list.map((_, index) => list[(index + by) % list.length]);

/** Makes something once a run, however many figures ask for it; what failed fails for all of them. */
function remembering() {
  const made = new Map();
  return (key, make) => {
    if (!made.has(key)) made.set(key, make());
    return made.get(key);
  };
}
