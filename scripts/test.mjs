// The tests, by part; without a name all of them, one after the other.
//
//   npm test                                  everything but the slow runs
//   npm run test:e2e -- tests/e2e/kill.test.ts   further words go to the runner of that part
//   npm run test:slow                         more than ten kills, more than 10,000 seeds, millions of events

import { existsSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { findDriver } from "./browser.mjs";
import { build, buildExample } from "./build.mjs";
import { ask, main, root, run, Stop, step, steps } from "./command.mjs";
import { fuzz } from "./fuzz.mjs";
import { buildServer, startServer } from "./server.mjs";
import { setUp } from "./setup.mjs";
import { buildDemo } from "./start.mjs";
import { wasmEnvironment } from "./toolchain.mjs";

const parts = { native, simulation, ts, types, browser, facade, e2e };

async function native(words, slow) {
  await setUp();
  const ignored = slow ? ["--run-ignored", "only"] : [];
  if (ask("cargo", ["nextest", "--version"]) !== undefined) {
    await run("cargo", [
      "nextest",
      "run",
      "--workspace",
      "--no-tests",
      "pass",
      // It has a part of its own.
      ...["--filterset", "not binary(simulation)"],
      ...(slow ? ["--release"] : []),
      ...ignored,
      ...words,
    ]);
  } else {
    await run("cargo", [
      "test",
      "--workspace",
      "--lib",
      "--tests",
      ...(slow ? ["--release"] : []),
      ...words,
      ...(slow ? ["--", "--ignored"] : []),
    ]);
  }
  // Examples in the documentation are tests too, and nextest does not run them.
  if (!slow && words.length === 0) {
    await run("cargo", ["test", "--doc", "--quiet"]);
    await conformance();
  }
}

// The script that checks any server, on ours.
async function conformance() {
  const folder = mkdtempSync(join(tmpdir(), "everfold-conformance-"));
  const server = await startServer(await buildServer(), { data: join(folder, "data.sqlite3") });
  try {
    const body = JSON.stringify({ subject: "conformance", space: "*" });
    const headers = { "content-type": "application/json" };
    const answer = await fetch(new URL("dev/token", server.url), { method: "POST", headers, body });
    const { token } = await answer.json();
    await run("node", ["scripts/conformance.mjs", server.url, "--token", token], { quiet: true });
  } finally {
    await server.stop();
    rmSync(folder, { recursive: true, force: true });
  }
}

// Sync, in a faulty world: tests/simulation. It needs a build for speed.
async function simulation(words, slow) {
  await setUp();
  await run(
    "cargo",
    ["test", "--profile", "simulation", "--features", "planted-bugs", "--test", "simulation", ...words].concat(
      words.includes("--") ? [] : ["--", "--nocapture", "--test-threads", "1"],
    ),
    { env: slow ? { EVERFOLD_SEEDS: process.env.EVERFOLD_SEEDS ?? "1000000" } : {} },
  );
}

async function ts(words) {
  await build();
  await buildExample();
  await run(bin("vitest"), ["run", "--dir", "tests/ts", "--testTimeout", "30000", "--passWithNoTests", ...words]);
}

async function types() {
  await build();
  if (hasTests("tests/types")) {
    await run(bin("tsc"), ["-p", "tests/types"]);
  }
}

async function browser(words) {
  await setUp({ browser: true });
  const driver = findDriver();
  const found = driver === undefined ? [] : ["--chromedriver", driver];
  await run("wasm-pack", ["test", "--headless", "--chrome", ...found, "--features", "bindings", ...words], {
    env: { ...wasmEnvironment(), WASM_BINDGEN_TEST_TIMEOUT: "300" },
  });
}

async function facade(words, slow) {
  await setUp({ browser: true });
  await build();
  await buildExample();
  await playwright("tests/facade", words, slow);
}

async function e2e(words, slow) {
  await setUp({ browser: true });
  await buildServer();
  await buildDemo();
  await playwright("tests/e2e", words, slow);
}

async function playwright(folder, words, slow) {
  if (!hasTests(folder)) {
    return;
  }
  const chosen = words.length > 0 ? words : [folder];
  await run(bin("playwright"), [
    "test",
    "-c",
    "tests/playwright.config.ts",
    slow ? "--grep" : "--grep-invert",
    "@slow",
    ...(slow ? ["--pass-with-no-tests"] : []),
    ...chosen,
  ]);
}

function bin(name) {
  return join(root, "node_modules", ".bin", name);
}

function hasTests(folder) {
  return existsSync(join(root, folder)) && readdirSync(join(root, folder)).some((name) => /\.tsx?$/.test(name));
}

await main(async () => {
  const [name, ...words] = process.argv.slice(2);
  if (name === "slow") {
    for (const part of ["native", "simulation", "facade", "e2e"]) {
      await step(`test:${part}, slow`, () => parts[part](words, true));
    }
    await fuzz(60);
  } else if (name === undefined) {
    await steps(
      Object.fromEntries(Object.entries(parts).map(([part, test]) => [`test:${part}`, () => test([], false)])),
    );
  } else if (name in parts) {
    await parts[name](words, false);
  } else {
    throw new Stop(`no such part: ${name}; there are ${Object.keys(parts).join(", ")} and slow`);
  }
});
