// The package as users meet it: packed, installed from the tarball into fresh projects, built with their tools, and made
// to commit an event and read it back.
//
//   node tests/packaging/run.mjs             every project
//   node tests/packaging/run.mjs vite-dev    one of them

import { cp, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { chromium } from "playwright-core";
import { browserArguments, findBrowser } from "../../scripts/browser.mjs";
import { build } from "../../scripts/build.mjs";
import { main, root, run, Stop, step } from "../../scripts/command.mjs";
import { serve, strictPolicy } from "../../scripts/serve.mjs";
import { setUp, setUpPackages } from "../../scripts/setup.mjs";

const here = join(root, "tests", "packaging");
const wasmFiles = ["./everfold.wasm", "./everfold-sync.wasm", "./everfold-tools.wasm"];
const expected = "balance 100 at version 1, account.changed, refused, 1 event";

const projects = {
  lint: { run: lint },
  node: { template: "node", run: importInNode },
  page: { template: "page", run: (project) => inBrowser(project) },
  "vite-dev": { template: "vite", run: viteDev },
  "vite-build": { template: "vite", run: viteBuild },
  webpack: { template: "webpack", run: webpackBuild },
  esbuild: { template: "esbuild", run: (project) => esbuildBuild(project, "main.js") },
  "service-worker": { template: "service-worker", run: (project) => esbuildBuild(project, "worker.js") },
};

async function lint(tarball) {
  await run(join(here, "node_modules", ".bin", "publint"), ["run", tarball, "--strict"]);
  // Types of a wasm file are nobody's business, and CommonJS is not offered.
  const words = [tarball, "--profile", "esm-only", "--exclude-entrypoints", ...wasmFiles];
  await run(join(here, "node_modules", ".bin", "attw"), words);
  await refuseStrangers(tarball);
}

/** Only what is meant to be published is in the tarball. */
async function refuseStrangers(tarball) {
  const names = (await run("tar", ["-tzf", tarball], { quiet: true })).trim().split("\n");
  const allowed =
    /^package\/(dist\/[\w./-]+\.(js|d\.ts|wasm)|package\.json|README\.md|CHANGELOG\.md|LICENSE-(MIT|APACHE))$/;
  const strangers = names.filter((name) => !allowed.test(name));
  if (strangers.length > 0) {
    throw new Stop(`the package contains ${strangers.join(", ")}`);
  }
}

async function importInNode(project) {
  expectAnswer((await run("node", ["main.mjs"], { cwd: project, quiet: true })).trim());
}

async function viteDev(project) {
  const { createServer } = await import("vite");
  const server = await createServer({ root: project, configFile: false, logLevel: "warn" });
  try {
    await server.listen(0);
    expectAnswer(await answerOf(server.resolvedUrls.local[0]));
  } finally {
    await server.close();
  }
}

async function viteBuild(project) {
  const vite = await import("vite");
  await vite.build({ root: project, configFile: false, logLevel: "warn" });
  await inBrowser(join(project, "dist"));
}

async function webpackBuild(project) {
  const { default: webpack } = await import(createRequire(join(here, "package.json")).resolve("webpack"));
  const config = {
    mode: "production",
    context: project,
    entry: "./main.js",
    output: { path: join(project, "dist"), filename: "main.js" },
    // The size is checked against our own budget.
    performance: { hints: false },
  };
  const stats = await new Promise((resolve, reject) => {
    webpack(config, (error, result) => (error === null ? resolve(result) : reject(error)));
  });
  if (stats.hasErrors() || stats.hasWarnings()) {
    throw new Stop(stats.toString({ all: false, errors: true, warnings: true }));
  }
  await cp(join(project, "index.html"), join(project, "dist", "index.html"));
  await inBrowser(join(project, "dist"));
}

async function esbuildBuild(project, entry) {
  const { build: bundle } = await import("esbuild");
  const outdir = join(project, "dist");
  await bundle({
    absWorkingDir: project,
    entryPoints: [entry],
    outdir,
    bundle: true,
    format: "esm",
    loader: { ".wasm": "file" },
    logLevel: "warning",
  });
  for (const name of await readdir(project)) {
    if (name === "index.html" || (name === "main.js" && entry !== "main.js")) {
      await cp(join(project, name), join(outdir, name));
    }
  }
  await inBrowser(outdir);
}

async function inBrowser(folder) {
  // An import map is an inline script, which the strict policy refuses with good reason.
  const inline = (await readFile(join(folder, "index.html"), "utf8")).includes("importmap");
  const server = await serve(folder, { policy: inline ? undefined : strictPolicy });
  try {
    expectAnswer(await answerOf(server.url));
  } finally {
    await server.close();
  }
}

/** The title that the page sets once it is done; anything on the console is a failure as well. */
async function answerOf(url) {
  const profile = await mkdtemp(join(tmpdir(), "everfold-profile-"));
  const executablePath = await findBrowser();
  const context = await chromium.launchPersistentContext(profile, { executablePath, args: browserArguments });
  try {
    const page = await context.newPage();
    const complaints = [];
    page.on("console", (message) => {
      if (message.type() === "error" || message.type() === "warning") {
        complaints.push(`${message.text()} (${message.location().url})`);
      }
    });
    page.on("pageerror", (error) => complaints.push(error.message));
    await page.goto(url);
    await page
      .waitForFunction(() => /^(balance|failed)/.test(document.title), null, { timeout: 30_000 })
      .catch(() => {});
    return [await page.title(), ...complaints].join("\n");
  } finally {
    await context.close();
    await rm(profile, { recursive: true, force: true, maxRetries: 5 });
  }
}

function expectAnswer(answer) {
  if (answer !== expected) {
    throw new Stop(`expected: ${expected}\ngot:      ${answer}`);
  }
}

async function install(template, tarball) {
  const project = await mkdtemp(join(tmpdir(), `everfold-${template}-`));
  await cp(join(here, "templates", template), project, { recursive: true });
  await cp(join(here, "templates", "ledger.mjs"), join(project, "ledger.mjs"));
  await writeFile(
    join(project, "package.json"),
    JSON.stringify({ name: `uses-everfold`, private: true, type: "module" }),
  );
  // The package has no dependencies, so this must work without a registry.
  await run("npm", ["install", "--offline", "--no-audit", "--no-fund", tarball], { cwd: project, quiet: true });
  return project;
}

await main(async () => {
  const chosen = process.argv.slice(2);
  await setUp({ browser: true });
  await setUpPackages(here);
  await build();
  const folder = await mkdtemp(join(tmpdir(), "everfold-pack-"));
  await run("npm", ["pack", "--pack-destination", folder], { quiet: true });
  const tarball = join(folder, (await readdir(folder))[0]);
  const failed = [];
  for (const [name, { template, run: test }] of Object.entries(projects)) {
    if (chosen.length > 0 && !chosen.includes(name)) {
      continue;
    }
    const project = template === undefined ? tarball : await install(template, tarball);
    try {
      await step(`packaging ${name}`, () => test(project));
    } catch (error) {
      process.stderr.write(`${error instanceof Stop ? error.message : error.stack}\n`);
      failed.push(name);
    }
    if (project !== tarball) {
      await rm(project, { recursive: true, force: true });
    }
  }
  await rm(folder, { recursive: true, force: true });
  if (failed.length > 0) {
    throw new Stop(`packaging failed: ${failed.join(", ")}`);
  }
});
