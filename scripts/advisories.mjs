// Known vulnerabilities in what we depend on, where the databases can be reached; where they cannot, a line says so.

import { spawnSync } from "node:child_process";
import { ask, onPath, root, run, Stop } from "./command.mjs";

const cargoDatabase = "https://github.com/rustsec/advisory-db";

/** Throws when a dependency has a known vulnerability. */
export async function checkAdvisories() {
  checkNpm();
  await checkCargo();
}

function checkNpm() {
  const { stdout } = spawnSync("npm", ["audit", "--json", "--audit-level", "high"], {
    cwd: root,
    encoding: "utf8",
    timeout: 60_000,
  });
  const counts = parsed(stdout)?.metadata?.vulnerabilities;
  if (counts === undefined) {
    process.stdout.write("npm advisories not checked: the registry does not answer `npm audit`\n");
  } else if (counts.high + counts.critical > 0) {
    throw new Stop(`npm advisories: ${counts.high} high, ${counts.critical} critical; see \`npm audit\``);
  } else {
    process.stdout.write("npm advisories: none that is high or critical\n");
  }
}

async function checkCargo() {
  if (onPath("cargo-audit") === undefined) {
    process.stdout.write("cargo advisories not checked: cargo-audit is not installed (`cargo install cargo-audit`)\n");
  } else if (
    ask("git", ["ls-remote", cargoDatabase, "HEAD"], { timeout: 20_000, env: { GIT_TERMINAL_PROMPT: "0" } }) ===
    undefined
  ) {
    process.stdout.write(`cargo advisories not checked: ${cargoDatabase} cannot be reached\n`);
  } else {
    await run("cargo", ["audit"]);
  }
}

function parsed(json) {
  try {
    return JSON.parse(json);
  } catch {
    return undefined;
  }
}
