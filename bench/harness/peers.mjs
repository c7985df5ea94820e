// The stores compared, and the libraries that three of them need.
//
// The libraries are no dependency of everfold: they are installed into the bench folder, at the versions
// of its lock file, by the first run that measures one of them.

import { spawnSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";

export const stores = ["everfold", "idb", "dexie", "sqlite"];

export function installPeers(bench) {
  if (isInstalled(bench)) return;
  console.log("installing the libraries that everfold is compared with (once):");
  const { status } = spawnSync("npm", ["ci", "--no-audit", "--no-fund", "--loglevel=error"], {
    cwd: bench,
    stdio: "inherit",
    shell: process.platform === "win32",
  });
  if (status !== 0) throw new Error("npm ci failed in bench/");
}

function isInstalled(bench) {
  const { packages } = JSON.parse(readFileSync(join(bench, "package-lock.json"), "utf8"));
  return Object.entries(packages).every(([path, { version, optional }]) => {
    const manifest = join(bench, path, "package.json");
    if (path === "" || (optional && !existsSync(manifest))) return true;
    return existsSync(manifest) && JSON.parse(readFileSync(manifest, "utf8")).version === version;
  });
}
