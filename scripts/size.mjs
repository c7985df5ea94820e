// What a page downloads for `import { openStore } from "everfold"`: the main entry with every module that it imports,
// and the wasm file, each compressed by brotli as a server sends it. What sync adds, and the seldom calls.
//
//   npm run size              a table, and an error when over budget
//   npm run size -- --json    the same figures as JSON

import { readFileSync } from "node:fs";
import { basename, dirname, join, relative } from "node:path";
import { pathToFileURL } from "node:url";
import { brotliCompressSync, constants } from "node:zlib";
import { build } from "./build.mjs";
import { main, root, Stop } from "./command.mjs";

// What a page may weigh today: a ratchet, lowered with every step towards what it shall weigh. A few KiB above what it
// does weigh, as compilers differ by that much.
const budgets = [
  { id: "page", what: "a page that opens a store", today: 139, goal: 90 },
  { id: "sync", what: "one whose store syncs", today: 210, goal: 110 },
];

/** The files of the package with their sizes in bytes, and what a page downloads in KiB, without and with sync. */
export function measure() {
  const dist = join(root, "dist");
  const page = modulesOf(join(dist, "index.js"));
  const later = new Set([...page].flatMap((file) => importsOf(file, /\bimport\("(\.[^"]+\.js)"\)/g)));
  const loadedFor = (entry) => {
    const files = [...later].filter((file) => basename(file).startsWith(`${entry}-`));
    if (files.length !== 1) {
      throw new Stop(`dist has ${files.length} modules ${entry}-*.js that a page imports later: it must be one`);
    }
    return [...modulesOf(files[0])].filter((file) => !page.has(file));
  };
  const weigh = (part, files) =>
    files.map((file) => {
      const content = readFileSync(file);
      const options = {
        params: { [constants.BROTLI_PARAM_QUALITY]: 11, [constants.BROTLI_PARAM_SIZE_HINT]: content.length },
      };
      const { length: brotli } = brotliCompressSync(content, options);
      return { part, file: relative(root, file), bytes: content.length, brotli };
    });
  const files = [
    ...weigh("page", [...page, join(dist, "everfold.wasm")]),
    ...weigh("sync", [...loadedFor("driver"), join(dist, "everfold-sync.wasm")]),
    ...weigh("tools", [...loadedFor("tools"), join(dist, "everfold-tools.wasm")]),
  ];
  const sum = (...parts) =>
    files.reduce((total, { part, brotli }) => total + (parts.includes(part) ? brotli : 0), 0) / 1024;
  return { files, brotliKiB: { page: sum("page"), sync: sum("page", "sync"), all: sum("page", "sync", "tools") } };
}

/** Throws when a page is over budget. */
export function checkSize() {
  const { files, brotliKiB } = measure();
  const rows = files.map(({ part, file, bytes, brotli }) => `${kib(bytes)} ${kib(brotli)}  ${part.padEnd(5)} ${file}`);
  const sums = budgets.map(
    ({ id, what, today, goal }) =>
      `${" ".repeat(12)} ${kib(brotliKiB[id] * 1024)}  ${what}: ${today} KiB today, ${goal} KiB to be reached`,
  );
  const all = `${" ".repeat(12)} ${kib(brotliKiB.all * 1024)}  all of it`;
  process.stdout.write(["      raw    brotli", ...rows, ...sums, all, ""].join("\n"));
  const over = budgets.filter(({ id, today }) => brotliKiB[id] > today);
  if (over.length > 0) {
    throw new Stop(
      over.map(({ id, what, today }) => `${what} is ${brotliKiB[id].toFixed(1)} KiB, over its ${today} KiB`).join("\n"),
    );
  }
}

// Follows static imports; the output is ours, so a pattern is enough.
function modulesOf(file, seen = new Set()) {
  if (!seen.has(file)) {
    seen.add(file);
    for (const imported of importsOf(file, /(?:import|from)\s*"(\.[^"]+)"/g)) {
      modulesOf(imported, seen);
    }
  }
  return seen;
}

function importsOf(file, pattern) {
  return [...readFileSync(file, "utf8").matchAll(pattern)].map(([, imported]) => join(dirname(file), imported));
}

function kib(bytes) {
  return `${(bytes / 1024).toFixed(1)} KiB`.padStart(12);
}

if (import.meta.url === pathToFileURL(process.argv[1]).href) {
  await main(async () => {
    if (process.argv.includes("--json")) {
      await build();
      process.stdout.write(`${JSON.stringify(measure(), null, 2)}\n`);
    } else {
      await build();
      checkSize();
    }
  });
}
