// The demo, from a fresh clone to a page that can be opened: set up, build the package, build the page, serve it.
//
//   npm start                 the production build, as it is published; `-- --port 4000` for another port
//   npm start -- --dev        Vite's development server, with hot reload of the page

import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { parseArgs } from "node:util";
import { build } from "./build.mjs";
import { main, root, run, step } from "./command.mjs";
import { serve, strictPolicy } from "./serve.mjs";

const page = join(root, "www");
const vite = join(root, "node_modules", ".bin", "vite");

/** Builds the demo on top of the package in dist/. */
export async function buildDemo() {
  await build();
  await step("demo (vite build)", () => run(vite, ["build", "--logLevel", "warn"], { cwd: page }));
  return join(page, "dist");
}

async function start() {
  const { values } = parseArgs({ options: { dev: { type: "boolean" }, port: { type: "string" } } });
  if (values.dev) {
    await build();
    await run(vite, values.port === undefined ? [] : ["--port", values.port], { cwd: page });
    return;
  }
  const folder = await buildDemo();
  const { url } = await serveOnFreePort(folder, Number(values.port ?? 4173));
  process.stdout.write(`\nThe demo is at ${url}\nPress Ctrl+C to stop.\n`);
}

// IndexedDB belongs to host and port, so the same port is kept whenever it is free.
async function serveOnFreePort(folder, port) {
  for (let candidate = port; candidate < port + 20; candidate += 1) {
    try {
      return await serve(folder, { port: candidate, policy: strictPolicy });
    } catch (error) {
      if (error.code !== "EADDRINUSE") {
        throw error;
      }
    }
  }
  return serve(folder, { policy: strictPolicy });
}

if (import.meta.url === pathToFileURL(process.argv[1]).href) {
  await main(start);
}
