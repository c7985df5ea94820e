// What a figure was measured on and with.

import { existsSync, readFileSync } from "node:fs";
import { arch, cpus, loadavg, platform, release, totalmem } from "node:os";
import { join } from "node:path";
import { ask, root } from "../../scripts/command.mjs";

export const describeMachine = () => ({
  cpu: cpus()[0]?.model ?? "unknown",
  cores: cpus().length,
  memoryGiB: Math.round(totalmem() / 2 ** 30),
  system: `${platform()} ${release()} ${arch()}`,
  loadAtStart: Number(loadavg()[0].toFixed(2)),
});

export function describeVersions(bench, browserVersion) {
  const inBench = (name) => versionIn(join(bench, "node_modules", name, "package.json"));
  return {
    everfold: versionIn(join(root, "package.json")),
    commit: ask("git", ["describe", "--always", "--dirty"]) ?? null,
    chromium: browserVersion,
    node: process.version,
    idb: inBench("idb"),
    dexie: inBench("dexie"),
    sqlite: inBench("@sqlite.org/sqlite-wasm"),
  };
}

const versionIn = (manifest) => (existsSync(manifest) ? JSON.parse(readFileSync(manifest, "utf8")).version : null);
