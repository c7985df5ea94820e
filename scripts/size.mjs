// What a page downloads for `import { openStore } from "everfold"`: the main entry with every module that it imports,
// and the wasm file, each compressed by brotli as a server sends it.
//
//   npm run size              a table, and an error when over budget
//   npm run size -- --json    the same figures as JSON

import { readFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { pathToFileURL } from "node:url";
import { brotliCompressSync, constants } from "node:zlib";
import { build } from "./build.mjs";
import { main, root, Stop } from "./command.mjs";

// What the main entry may weigh today: a ratchet, lowered with every step towards what it shall weigh. A few KiB above
// what it does weigh, as compilers differ by that much.
const budgetKiB = 245.7;
const goalKiB = 90;

/** The files of the main entry with their sizes in bytes, and their sum in KiB. */
export function measure() {
  const dist = join(root, "dist");
  const files = [...modulesOf(join(dist, "index.js")), join(dist, "everfold.wasm")].map((file) => {
    const content = readFileSync(file);
    const options = {
      params: { [constants.BROTLI_PARAM_QUALITY]: 11, [constants.BROTLI_PARAM_SIZE_HINT]: content.length },
    };
    return { file: relative(root, file), bytes: content.length, brotli: brotliCompressSync(content, options).length };
  });
  return { files, brotliKiB: files.reduce((sum, { brotli }) => sum + brotli, 0) / 1024, budgetKiB };
}

/** Throws when the main entry is over budget. */
export function checkSize() {
  const { files, brotliKiB } = measure();
  const rows = files.map(({ file, bytes, brotli }) => `${kib(bytes)} ${kib(brotli)}  ${file}`);
  process.stdout.write(
    [
      `      raw    brotli`,
      ...rows,
      `${" ".repeat(12)} ${kib(brotliKiB * 1024)}  of ${budgetKiB} KiB today, ${goalKiB} KiB to be reached`,
      "",
    ].join("\n"),
  );
  if (brotliKiB > budgetKiB) {
    throw new Stop(`the main entry is ${brotliKiB.toFixed(1)} KiB, over its budget of ${budgetKiB} KiB`);
  }
}

// Follows static imports; the output is ours, so a pattern is enough.
function modulesOf(file, seen = new Set()) {
  if (!seen.has(file)) {
    seen.add(file);
    for (const [, imported] of readFileSync(file, "utf8").matchAll(/(?:import|from)\s*"(\.[^"]+)"/g)) {
      modulesOf(join(dirname(file), imported), seen);
    }
  }
  return seen;
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
