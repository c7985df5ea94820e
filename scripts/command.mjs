// Running other programs: shown, quiet, or timed. Every script here goes through these.
//
// No dependency, because set-up runs before `npm ci`.

import { spawn, spawnSync } from "node:child_process";
import { accessSync, constants, statSync } from "node:fs";
import { delimiter, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

/** The checkout. All commands run here unless told otherwise. */
export const root = dirname(dirname(fileURLToPath(import.meta.url)));

/** What a user can act on: printed as one line, without a stack. */
export class Stop extends Error {}

/** Where nobody looks on, all output goes through here, and what failed is told once more at the end. */
const recorded = process.env.CI !== undefined;

/** How much of a failed program's output is told again, in characters. */
const LAST_WORDS = 4_000;

/** Runs a program with its output shown; throws `Stop` when it fails. */
export async function run(program, args, { env = {}, cwd = root, quiet = false } = {}) {
  const child = spawn(program, args, {
    cwd,
    env: { ...process.env, ...env },
    stdio: quiet || recorded ? ["ignore", "pipe", "pipe"] : ["ignore", "inherit", "inherit"],
  });
  let output = "";
  for (const [from, to] of [
    [child.stdout, process.stdout],
    [child.stderr, process.stderr],
  ]) {
    from?.setEncoding("utf8").on("data", (text) => {
      output = quiet ? output + text : (output + text).slice(-LAST_WORDS);
      if (!quiet) {
        to.write(text);
      }
    });
  }
  const code = await new Promise((resolve, reject) => {
    child.on("error", (error) => reject(new Stop(`cannot run ${program}: ${error.message}`)));
    child.on("close", (exit, signal) => resolve(exit ?? signal));
  });
  if (code !== 0) {
    throw new Stop(`${output}${[program, ...args].join(" ")} ended with ${code}`);
  }
  return output;
}

/** The trimmed standard output of a short program, or undefined when it is missing or fails. */
export function ask(program, args, { env = {}, cwd = root, timeout } = {}) {
  const answer = spawnSync(program, args, {
    cwd,
    env: { ...process.env, ...env },
    encoding: "utf8",
    timeout,
    maxBuffer: 1 << 28,
  });
  return answer.status === 0 ? answer.stdout.trim() : undefined;
}

/** Where a program is on PATH, like `which`. */
export function onPath(...names) {
  for (const name of names) {
    for (const folder of (process.env.PATH ?? "").split(delimiter)) {
      const file = join(folder, name);
      if (folder !== "" && isProgram(file)) {
        return file;
      }
    }
  }
  return undefined;
}

/** Whether a file can be run. */
export function isProgram(file) {
  try {
    accessSync(file, constants.X_OK);
    return statSync(file).isFile();
  } catch {
    return false;
  }
}

/** Runs one step and tells what it took; a line now and then shows that a silent one is alive. */
export async function step(title, work) {
  const started = Date.now();
  process.stderr.write(`> ${title}\n`);
  const alive = setInterval(() => {
    process.stderr.write(`  ${title}: ${Math.round((Date.now() - started) / 1000)} s so far\n`);
  }, 15_000);
  try {
    return await work();
  } finally {
    clearInterval(alive);
    process.stderr.write(`  ${title}: ${((Date.now() - started) / 1000).toFixed(1)} s\n`);
  }
}

/** Runs steps by name, one after the other. It goes on after a failure, so that one run tells everything. */
export async function steps(named) {
  const failures = [];
  for (const [title, work] of Object.entries(named)) {
    try {
      await step(title, work);
    } catch (error) {
      if (!(error instanceof Stop)) {
        throw error;
      }
      if (!recorded) {
        process.stderr.write(`${error.message}\n`);
      }
      failures.push({ title, error });
    }
  }
  if (failures.length > 0) {
    const again = recorded ? failures.map(({ title, error }) => `--- ${title}\n${error.message}\n\n`) : [];
    throw new Stop(`${again.join("")}failed: ${failures.map(({ title }) => title).join(", ")}`);
  }
}

/** The body of a script: a `Stop` becomes one line and exit code 1. */
export async function main(work) {
  try {
    await work();
  } catch (error) {
    if (!(error instanceof Stop)) {
      throw error;
    }
    process.stderr.write(`\n${error.message}\n`);
    process.exitCode = 1;
  }
}
