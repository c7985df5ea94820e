// Measures everfold beside the stores that people would use instead: `npm run bench -- --json FILE`.
//
// Each figure is one file in `figures/`, each store one in `peers/`; docs/bench.md says what the figures
// mean and when a run is valid. Measures the built package in `dist/` and builds nothing.

import { existsSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { parseArgs } from "node:util";
import { main, root, Stop } from "../scripts/command.mjs";
import { stores as allStores, installPeers } from "./harness/peers.mjs";

const usage = `npm run bench -- [options]
  --json FILE      also write the figures to FILE
  --only ID        measure this figure (repeatable, or separated by commas)
  --pairs N        interleaved measurements of each store (default 7, with --quick 3)
  --stores A,B     of ${allStores.join(", ")} (default all)
  --quick          small amounts, to see that everything runs; never a valid run
  --list           print the figures`;

const bench = join(root, "bench");

async function runBench() {
  const options = readOptions();
  if (options.help) {
    console.log(usage);
    return;
  }
  refuseWhatIsMissing(options);
  const figures = await readFigures();
  if (options.list) {
    for (const { id, what, unit } of figures) console.log(`${id.padEnd(20)} ${what}, ${unit}`);
    return;
  }
  const chosen = options.only.length === 0 ? figures : options.only.map((id) => named(figures, id));
  installPeers(bench);

  const { measureAll } = await import("./harness/measure.mjs");
  const { tableOf } = await import("./harness/report.mjs");
  const report = await measureAll(chosen, { ...options, bench, calibration: named(figures, "append-sequential") });
  console.log(`\n${tableOf(report.figures, options.stores)}\n`);
  for (const reason of report.invalidBecause) console.log(`not a valid run: ${reason}`);
  if (options.json) writeFileSync(options.json, `${JSON.stringify(report, null, 2)}\n`);
  if (report.failures.length > 0) {
    throw new Stop(report.failures.map(({ id, error }) => `${id} could not be measured: ${error}`).join("\n"));
  }
}

function refuseWhatIsMissing({ list, stores }) {
  if (!existsSync(join(root, "node_modules/playwright-core"))) {
    throw new Stop("the project's packages are not installed: run `npm ci` first");
  }
  if (!list && stores.includes("everfold") && !existsSync(join(root, "dist/index.js"))) {
    throw new Stop("there is no dist/ to measure: run `npm run build` first");
  }
}

function readOptions() {
  const { values } = parsed();
  const pairs = Number(values.pairs ?? (values.quick ? 3 : 7));
  const stores = values.stores.split(",");
  if (!Number.isInteger(pairs) || pairs < 1) {
    throw new Stop(`--pairs is a whole number from 1, not ${values.pairs}`);
  }
  for (const store of stores) {
    if (!allStores.includes(store)) {
      throw new Stop(`no store is called ${store}; there are ${allStores.join(", ")}`);
    }
  }
  return { ...values, only: values.only.flatMap((ids) => ids.split(",")), pairs, stores };
}

function parsed() {
  try {
    return parseArgs({
      options: {
        json: { type: "string" },
        only: { type: "string", multiple: true, default: [] },
        pairs: { type: "string" },
        stores: { type: "string", default: allStores.join(",") },
        quick: { type: "boolean", default: false },
        list: { type: "boolean", default: false },
        help: { type: "boolean", default: false },
      },
    });
  } catch (error) {
    throw new Stop(`${error.message}\n${usage}`);
  }
}

async function readFigures() {
  const files = readdirSync(join(bench, "figures")).filter((file) => file.endsWith(".mjs"));
  const modules = await Promise.all(
    files.sort().map((file) => import(pathToFileURL(join(bench, "figures", file)).href)),
  );
  return modules.map(({ figure }) => figure);
}

function named(figures, id) {
  const found = figures.find((figure) => figure.id === id);
  if (found === undefined) {
    throw new Stop(`no figure is called ${id}; --list prints them`);
  }
  return found;
}

await main(runBench);
