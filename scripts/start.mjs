// The demo, from a fresh clone to a page that can be opened: set up, build the package, the page and the server, serve it.
//
//   npm start                 the production build, as it is published, and the sync server on the same address;
//                             `-- --port 4000` for another port
//   npm start -- --dev        Vite's development server, with hot reload of the page, and the sync server behind it

import { spawn } from "node:child_process";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { parseArgs } from "node:util";
import { build } from "./build.mjs";
import { main, root, run, Stop, step } from "./command.mjs";
import { buildServer, freePort, startServer } from "./server.mjs";

const page = join(root, "www");
const vite = join(root, "node_modules", ".bin", "vite");

/** Builds the demo on top of the package in dist/. */
export async function buildDemo() {
  await build();
  await step("demo (vite build)", () => run(vite, ["build", "--logLevel", "warn"], { cwd: page }));
  return join(page, "dist");
}

/** The page as it is in the sources, which finds the sync server at its own address. */
function serveSources(port, syncServer) {
  const env = { ...process.env, EVERFOLD_SYNC_SERVER: syncServer };
  return spawn(vite, ["--port", String(port), "--strictPort"], { cwd: page, env, stdio: "inherit" });
}

const usage = "npm start -- [--dev] [--port NUMBER]";

function readOptions() {
  try {
    const { values } = parseArgs({ options: { dev: { type: "boolean" }, port: { type: "string" } } });
    const { dev = false, port = dev ? "5173" : "4173" } = values;
    if (!/^\d{1,5}$/.test(port) || Number(port) < 1 || Number(port) > 65_535) {
      throw new Error(`--port is ${port}, must be a number from 1 to 65535`);
    }
    return { dev, wanted: Number(port) };
  } catch (error) {
    throw new Stop(`${error.message}\n${usage}`);
  }
}

async function start() {
  const { dev, wanted } = readOptions();
  const site = dev ? undefined : await buildDemo();
  if (dev) {
    await build();
  }
  const program = await buildServer(dev ? "dev" : "server");
  const port = await freePort(wanted);
  // Devices remember what the server has: so it is kept beside what is built, and by port, as they are.
  const folder = join(root, ".everfold");
  mkdirSync(folder, { recursive: true });
  const data = join(folder, `demo-${port}.sqlite3`);
  const server = await startServer(program, { data, port: dev ? 0 : port, site });
  const developed = dev ? serveSources(port, server.url) : undefined;
  let asked = false;
  for (const signal of ["SIGINT", "SIGTERM"]) {
    process.once(signal, () => {
      asked = true;
      developed?.kill(signal);
      void server.stop(signal);
    });
  }
  if (developed !== undefined) {
    await new Promise((resolve) => developed.once("close", resolve));
    await server.stop();
    return;
  }
  process.stdout.write(`\nThe demo is at ${server.url}, and so is its sync server.\nPress Ctrl+C to stop.\n`);
  const how = await server.ended;
  if (!asked && how !== 0) {
    throw new Stop(`the server has ended (${how})`);
  }
}

if (import.meta.url === pathToFileURL(process.argv[1]).href) {
  await main(start);
}
