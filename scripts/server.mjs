// The sync server: built, started and stopped. `npm start` and the browser tests use it.

import { spawn } from "node:child_process";
import { createServer } from "node:net";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { root, run, Stop, step } from "./command.mjs";

/**
 * Builds it and says where the program is. `dev` is what the tests of `cargo` build anyway, `server` is built for speed.
 *
 * @param {"dev" | "server"} [profile]
 */
export async function buildServer(profile = "dev") {
  await step(`server (cargo, profile ${profile}; the first time takes some minutes)`, () =>
    run("cargo", ["build", "--quiet", "--profile", profile, "--package", "everfold-server"]),
  );
  return serverProgram(profile);
}

/** Where it is once it is built. */
export function serverProgram(profile = "dev") {
  const folder = profile === "dev" ? "debug" : profile;
  return join(process.env.CARGO_TARGET_DIR ?? join(root, "target"), folder, "everfold-server");
}

/**
 * Starts it and waits until it listens. Port 0 takes a free one. Its log goes to standard error.
 *
 * @param {string} program
 * @param {{ data: string, port?: number, site?: string | undefined, flags?: readonly string[] }} options
 */
export async function startServer(program, { data, port = 0, site, flags = ["--dev", "--log", "warn"] }) {
  const where = ["--listen", `localhost:${port}`, "--data", data, ...(site === undefined ? [] : ["--site", site])];
  const child = spawn(program, [...where, ...flags], { stdio: ["ignore", "pipe", "inherit"] });
  const ended = new Promise((resolve) => child.once("close", (code, signal) => resolve(code ?? signal)));
  const failed = new Promise((_, reject) => child.once("error", reject));
  const listens = new Promise((resolve) => createInterface(child.stdout).once("line", resolve));
  const line = await Promise.race([listens, failed, ended]);
  const found = /:(\d+)$/.exec(String(line))?.[1];
  if (found === undefined) {
    throw new Stop(`the server did not start (${line})`);
  }
  return {
    url: `http://localhost:${found}/`,
    port: Number(found),
    pid: child.pid,
    ended,
    /** Asks it to stop; with "SIGKILL" it is not asked. */
    stop: async (signal = "SIGTERM") => {
      child.kill(signal);
      await ended;
    },
  };
}

/** This port or the next one that nobody listens on: IndexedDB belongs to host and port, so the same is kept if it can be. */
export async function freePort(port) {
  for (let candidate = port; candidate < Math.min(port + 20, 65_536); candidate += 1) {
    if (await isFree(candidate)) {
      return candidate;
    }
  }
  return 0;
}

/** On either of the addresses that `localhost` may stand for; one that the machine does not have is taken by nobody. */
async function isFree(port) {
  const taken = await Promise.all(["127.0.0.1", "::1"].map((address) => isTaken(port, address)));
  return !taken.includes(true);
}

function isTaken(port, address) {
  return new Promise((resolve) => {
    const probe = createServer();
    probe.once("error", ({ code }) => resolve(code !== "EADDRNOTAVAIL" && code !== "EAFNOSUPPORT"));
    probe.listen(port, address, () => probe.close(() => resolve(false)));
  });
}
