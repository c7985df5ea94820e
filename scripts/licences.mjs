// The licences of everything we depend on, npm and cargo, against what may be used.
//
// What is compiled into the package or the server must be permissive; tools, and what the demo shows, may also be weak copyleft. The
// npm package itself has no dependencies, which is checked too.

import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { ask, root, Stop } from "./command.mjs";

const permissive = new Set([
  "0BSD",
  "Apache-2.0",
  "Apache-2.0 WITH LLVM-exception",
  "BlueOak-1.0.0",
  "BSD-2-Clause",
  "BSD-3-Clause",
  "BSL-1.0",
  "CC0-1.0",
  "ISC",
  "MIT",
  "MIT-0",
  "Unicode-3.0",
  "Unlicense",
  "Zlib",
]);
const around = new Set([...permissive, "CC-BY-4.0", "MPL-2.0", "OFL-1.1", "Python-2.0"]);

/** Throws with one line for each dependency whose licence is not allowed. */
export function checkLicences() {
  const locks = ["package-lock.json", "tests/packaging/package-lock.json", "bench/package-lock.json"];
  const dependencies = [
    ...locks.filter((lock) => existsSync(join(root, lock))).flatMap(npmDependencies),
    ...cargoDependencies(),
  ];
  const refused = dependencies.filter(
    ({ licence, shipped }) => !allows(licence ?? "none", shipped ? permissive : around),
  );
  if (refused.length > 0) {
    throw new Stop(
      refused
        .map(({ name, licence }) => `licence of ${name} is not on the list: ${licence ?? "none given"}`)
        .join("\n"),
    );
  }
  process.stdout.write(`licences of ${dependencies.length} dependencies are on the list\n`);
}

function npmDependencies(lock) {
  const { packages } = JSON.parse(readFileSync(join(root, lock), "utf8"));
  if (lock === "package-lock.json" && packages[""].dependencies !== undefined) {
    throw new Stop(`${lock}: the package has no dependencies at run time, and this names some`);
  }
  return Object.entries(packages)
    .filter(([path, { link }]) => path.includes("node_modules/") && !link)
    .map(([path, { license, version }]) => ({
      name: `npm ${path.split("node_modules/").at(-1)} ${version}`,
      licence: typeof license === "object" ? license.type : license,
      shipped: false,
    }));
}

function cargoDependencies() {
  const output = ask("cargo", ["metadata", "--format-version", "1", "--locked", "--all-features"]);
  if (output === undefined) {
    throw new Stop("cargo metadata failed: is Cargo.lock up to date?");
  }
  const { packages, resolve, workspace_members: members } = JSON.parse(output);
  const shipped = new Set();
  const visit = (id) => {
    if (!shipped.has(id)) {
      shipped.add(id);
      const node = resolve.nodes.find((candidate) => candidate.id === id);
      for (const { pkg, dep_kinds: kinds } of node.deps) {
        if (kinds.some(({ kind }) => kind === null)) {
          visit(pkg);
        }
      }
    }
  };
  members.forEach(visit);
  return packages
    .filter(({ source }) => source !== null)
    .map(({ id, name, version, license }) => ({
      name: `crate ${name} ${version}`,
      licence: license,
      shipped: shipped.has(id),
    }));
}

// SPDX expressions, AND binding closer than OR; crates of old write "MIT/Apache-2.0" for OR.
function allows(expression, allowed) {
  const tokens = expression.replaceAll("/", " OR ").match(/\(|\)|[^\s()]+/g) ?? [];
  let at = 0;
  const either = () => {
    let result = both();
    while (tokens[at] === "OR") {
      at += 1;
      result = both() || result;
    }
    return result;
  };
  const both = () => {
    let result = one();
    while (tokens[at] === "AND") {
      at += 1;
      result = one() && result;
    }
    return result;
  };
  const one = () => {
    if (tokens[at] === "(") {
      at += 1;
      const result = either();
      at += 1;
      return result;
    }
    let licence = tokens[at++];
    if (tokens[at] === "WITH") {
      licence += ` WITH ${tokens[at + 1]}`;
      at += 2;
    }
    return allowed.has(licence);
  };
  return either();
}
