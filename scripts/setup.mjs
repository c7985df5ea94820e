// Everything that has to be on the machine before a task can run. Each step is skipped when its result is there, so
// every task begins with it.
//
//   node scripts/setup.mjs               what building and running the demo needs
//   node scripts/setup.mjs --browser     and a Chromium for the tests

import { createHash } from "node:crypto";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { pathToFileURL } from "node:url";
import { main, onPath, root, run, Stop, step } from "./command.mjs";
import { setUpWasmTarget, setUpWasmTools } from "./toolchain.mjs";

/** Brings the machine to where tasks can run. Costs well under a second when it already is. */
export async function setUp({ browser = false } = {}) {
  checkPrerequisites();
  await setUpPackages(root);
  await setUpWasmTarget();
  await setUpWasmTools();
  if (browser) {
    const { setUpBrowser } = await import("./browser.mjs");
    await setUpBrowser();
  }
}

function checkPrerequisites() {
  const missing = [];
  const [major, minor] = process.versions.node.split(".").map(Number);
  if (major < 20 || (major === 20 && minor < 19)) {
    missing.push(`Node 20.19 or later (this is ${process.versions.node}): https://nodejs.org`);
  }
  if (onPath("rustup") === undefined) {
    missing.push("rustup: https://rustup.rs");
  } else if (onPath("cargo") === undefined) {
    missing.push("a Rust toolchain: run `rustup default stable`");
  }
  if (onPath("cc", "gcc", "clang") === undefined) {
    missing.push("a C compiler: gcc or clang (Debian: `apt install build-essential`, macOS: `xcode-select --install`)");
  }
  if (missing.length > 0) {
    throw new Stop(missing.map((line) => `missing: ${line}`).join("\n"));
  }
}

/** Installs the locked npm dependencies of a folder. */
export async function setUpPackages(folder) {
  const locked = createHash("sha256")
    .update(readFileSync(join(folder, "package-lock.json")))
    .digest("hex");
  const stamp = join(folder, "node_modules", ".cache", "everfold", "package-lock.sha256");
  if (readIfThere(stamp) === locked) {
    return;
  }
  const where = folder === root ? "" : ` of ${relative(root, folder)}`;
  await step(`npm dependencies${where}`, () =>
    run("npm", ["ci", "--no-audit", "--no-fund"], { quiet: true, cwd: folder }),
  );
  mkdirSync(dirname(stamp), { recursive: true });
  writeFileSync(stamp, locked);
}

function readIfThere(file) {
  try {
    return readFileSync(file, "utf8");
  } catch {
    return undefined;
  }
}

if (import.meta.url === pathToFileURL(process.argv[1]).href) {
  await main(() => setUp({ browser: process.argv.includes("--browser") }));
}
