// Everything about the code that can be judged without running its tests.
//
//   npm run check              all of it, going on after a failure, so that one run tells everything
//   npm run check -- clippy    one part

import { existsSync } from "node:fs";
import { join } from "node:path";
import { checkAdvisories } from "./advisories.mjs";
import { build } from "./build.mjs";
import { main, root, run, Stop, steps } from "./command.mjs";
import { checkLicences } from "./licences.mjs";
import { setUp } from "./setup.mjs";
import { checkSize } from "./size.mjs";
import { target, wasmEnvironment } from "./toolchain.mjs";

const parts = {
  format: () => run("cargo", ["fmt", "--all", "--check"]),
  clippy: () => run("cargo", ["clippy", "--workspace", "--all-targets", "--quiet", "--", "-D", "warnings"]),
  "clippy-wasm": () =>
    run(
      "cargo",
      [
        ...["clippy", "--workspace", "--exclude", "everfold-server", "--all-targets"],
        ...["--features", "everfold/parts"],
        ...["--target", target, "--quiet", "--", "-D", "warnings"],
      ],
      {
        env: wasmEnvironment(),
      },
    ),
  docs: () => run("cargo", ["doc", "--no-deps", "--quiet"], { env: { RUSTDOCFLAGS: "-D warnings" } }),
  lint: () => run(bin("biome"), ["ci", "--error-on-warnings", ...(process.stdout.isTTY ? [] : ["--colors=off"]), "."]),
  tsc: typeCheck,
  licences: checkLicences,
  size: checkSize,
  packaging: () => run("node", ["tests/packaging/run.mjs"]),
  advisories: checkAdvisories,
};

async function typeCheck() {
  for (const project of ["tsconfig.json", "tests/tsconfig.json", "www/tsconfig.json", "bench/tsconfig.json"]) {
    if (existsSync(join(root, project))) {
      await run(bin("tsc"), ["--noEmit", "-p", project]);
    }
  }
}

function bin(name) {
  return join(root, "node_modules", ".bin", name);
}

await main(async () => {
  const chosen = process.argv.slice(2);
  const unknown = chosen.find((name) => !(name in parts));
  if (unknown !== undefined) {
    throw new Stop(`no such part: ${unknown}; there are ${Object.keys(parts).join(", ")}`);
  }
  const wanted = (name) => chosen.length === 0 || chosen.includes(name);
  await setUp({ browser: wanted("packaging") });
  if (["tsc", "size", "packaging"].some(wanted)) {
    await build();
  }
  await steps(
    Object.fromEntries(
      Object.entries(parts)
        .filter(([name]) => wanted(name))
        .map(([name, part]) => [`check ${name}`, part]),
    ),
  );
});
