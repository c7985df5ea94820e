// Builds the npm package into dist/: the engine as one optimised wasm file, the TypeScript as small ES modules.
//
//   pkg/     the glue that wasm-bindgen writes, imported only by ts/wasm.ts
//   dist/    what is published; `size`, the tests and the demo all use this build
//
// Steps whose inputs did not change are skipped; `--force` runs them all.

import { createHash } from "node:crypto";
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { ask, main, root, run, Stop, step } from "./command.mjs";
import { buildOf, filesOf, joinGlue, jointModule, jointText, parts, refuseVariables, stamp } from "./parts.mjs";
import { setUp } from "./setup.mjs";
import { renameInGlue, shortNames } from "./short-names.mjs";
import { target, wasmEnvironment } from "./toolchain.mjs";

const makers = ["scripts/build.mjs", "scripts/parts.mjs", "scripts/short-names.mjs"];
const glue = join(root, "pkg");
const dist = join(root, "dist");

/** Builds what is not up to date. */
export async function build({ force = false } = {}) {
  await setUp();
  const engine = fingerprint(["Cargo.toml", "Cargo.lock", "src", ...makers]);
  if (force || readStamp(glue) !== engine) {
    rmSync(glue, { recursive: true, force: true });
    await step("engine (cargo, wasm-bindgen, wasm-opt)", buildEngine);
    writeStamp(glue, engine);
  }
  const api = fingerprint(["package.json", "package-lock.json", "tsconfig.json", "tsconfig.build.json", "ts"]) + engine;
  if (force || readStamp(dist) !== api) {
    rmSync(dist, { recursive: true, force: true });
    await step("TypeScript (esbuild, tsc)", buildApi);
    refuseEvaluation();
    writeStamp(dist, api);
  }
}

/** Builds `examples/rust-module` into its `pkg`, if it is not up to date. */
export async function buildExample() {
  await setUp();
  const pkg = join(root, "examples", "rust-module", "pkg");
  const manifest = "examples/rust-module/Cargo.toml";
  const inputs = fingerprint(["Cargo.toml", "Cargo.lock", "src", manifest, exampleSource, "scripts/build.mjs"]);
  if (readStamp(pkg) !== inputs) {
    rmSync(pkg, { recursive: true, force: true });
    await step("examples/rust-module (cargo, wasm-bindgen, wasm-opt)", () => buildModule(pkg));
    writeStamp(pkg, inputs);
  }
}

const exampleSource = "examples/rust-module/src";

async function buildModule(pkg) {
  const env = wasmEnvironment();
  await run("cargo", ["build", "--package", "rust-module", "--profile", "module", "--target", target], { env });
  const built = join(process.env.CARGO_TARGET_DIR ?? join(root, "target"), target, "module", "rust_module.wasm");
  await run("wasm-bindgen", [built, "--target", "web", resettable, "--out-dir", pkg], { env });
  const bound = join(pkg, "rust_module_bg.wasm");
  await run(join(root, "node_modules", ".bin", "wasm-opt"), [bound, ...forSpeed, "-o", bound]);
}

// `lto` works only when the cdylib is the one crate type, which is why this is not `wasm-pack build`.
async function buildEngine() {
  const env = wasmEnvironment();
  const binaryen = (tool) => join(root, "node_modules", ".bin", tool);
  await run(
    "cargo",
    [
      ...["rustc", "--lib", "--crate-type", "cdylib", "--release", "--features", "parts", "--target", target],
      ...["--", "-C", "link-arg=--emit-relocs"],
    ],
    { env: { ...env, CARGO_ENCODED_RUSTFLAGS: withoutMachinePaths(env).join("\x1f") } },
  );
  const built = join(process.env.CARGO_TARGET_DIR ?? join(root, "target"), target, "release", "everfold.wasm");
  const cut = join(glue, "cut");
  await run("wasm-split-cli", ["--target", "web", built, cut], { env, quiet: true });
  const { files, shared } = filesOf(cut);
  // The file's URL is written by hand, once, in ts/wasm-file.ts, where bundlers find it.
  await run(
    "wasm-bindgen",
    [
      ...[join(cut, "main.wasm"), "--target", "web", "--omit-default-module-path", resettable],
      // The table of functions is exported, for the parts.
      ...["--keep-lld-exports", "--out-dir", glue, "--out-name", "everfold"],
    ],
    { env },
  );
  const bound = join(glue, "everfold_bg.wasm");
  const build = buildOf(built);
  joinGlue(join(glue, "everfold.js"), build);
  const names = ask(binaryen("wasm-opt"), [bound, ...forSize, shortNames, "-o", bound]);
  renameInGlue(join(glue, "everfold.js"), names);
  const textOf = (file) => ask(binaryen("wasm-dis"), [file]);
  shared.map(textOf).forEach(refuseVariables);
  const joint = join(cut, "joint.wat");
  for (const [part, file] of files) {
    writeFileSync(joint, jointText(textOf(file)));
    // What parts share is too little for a file of its own: each brings it. The second one to join puts its functions in the
    // places of the same ones.
    await run(binaryen("wasm-merge"), [
      ...[joint, jointModule, ...shared.flatMap((other, number) => [other, `shared${number}`]), file, part],
      ...[...features, "-o", file],
    ]);
    await run(binaryen("wasm-opt"), [file, ...forSize, "-o", join(glue, `everfold-${part}.wasm`)], { quiet: true });
    stamp(join(glue, `everfold-${part}.wasm`), build);
  }
  rmSync(cut, { recursive: true });
}

// Panics name their source file: without this, where it lies on the machine that built it.
function withoutMachinePaths(env) {
  const sources = {
    [join(process.env.CARGO_HOME ?? join(homedir(), ".cargo"), "registry", "src")]: "crates",
    [join(ask("rustc", ["--print", "sysroot"], { env }), "lib", "rustlib", "src", "rust")]: "rust",
    [root]: "everfold",
  };
  return Object.entries(sources).map(([path, name]) => `--remap-path-prefix=${path}=${name}`);
}

// ts/wasm.ts replaces an instance that trapped; the glue's part of that is still called experimental.
const resettable = "--experimental-reset-state-function";

// The features are those that rustc's wasm32 target has on by default, all older than the browsers we support. The first
// KiB of memory is the last of the stack, so no pointer that is computed with an offset begins there.
const features = [
  "--enable-bulk-memory",
  "--enable-mutable-globals",
  "--enable-nontrapping-float-to-int",
  "--enable-reference-types",
  "--enable-multivalue",
  "--enable-sign-ext",
];

const forSpeed = ["-O3", "--low-memory-unused", "--strip-producers", "--strip-target-features", ...features];

// Control flow that is built anew, after rustc's own, compresses better. A second round finds what the first one opened.
// Bodies copied into their one caller compress worse than calls. Functions ordered by name have like beside like.
const forSize = [
  "--flatten",
  "--rereloop",
  ...forSpeed,
  "-O3",
  "--one-caller-inline-max-function-size=30",
  "--reorder-functions-by-name",
];
async function buildApi() {
  const { build: bundle } = await import("esbuild");
  const entryPoints = ["index", "testing", "react"].map((name) => join(root, "ts", `${name}.ts`)).filter(existsSync);
  const options = {
    outdir: dist,
    bundle: true,
    format: "esm",
    platform: "neutral",
    target: "es2022",
    external: ["react"],
    minify: true,
    chunkNames: "[name]-[hash]",
    legalComments: "none",
    absWorkingDir: root,
    logLevel: "warning",
  };
  await bundle({ ...options, entryPoints, splitting: true, plugins: [coreInOneFile] });
  // A worker is not made of parts: it shares nothing with the page, and not every bundler follows its imports. Without white
  // space esbuild would drop the comments that keep bundlers from looking for the user's module.
  await bundle({
    ...options,
    entryPoints: ["worker", "rebuild-worker"].map((name) => join(root, "ts", `${name}.ts`)),
    minify: false,
    minifyIdentifiers: true,
    minifySyntax: true,
    plugins: [nothingLater],
  });
  cpSync(join(glue, "everfold_bg.wasm"), join(dist, "everfold.wasm"));
  for (const part of parts) {
    cpSync(join(glue, `everfold-${part}.wasm`), join(dist, `everfold-${part}.wasm`));
  }
  await run(join(root, "node_modules", ".bin", "tsc"), ["-p", "tsconfig.build.json"]);
}

// esbuild cuts a file for each set of entries that reach it. What is loaded later reaches all of the core here, so that
// the core is one file: many small ones compress worse.
const loadedLater = /[/\\]ts[/\\](tools|sync[/\\]driver)\.ts$/;
const coreInOneFile = {
  name: "core-in-one-file",
  setup({ onLoad }) {
    const core = JSON.stringify(join(root, "ts", "open.ts"));
    onLoad({ filter: loadedLater }, ({ path }) => ({
      contents: `${readFileSync(path, "utf8")}\nexport { openStoreIn } from ${core};\n`,
      loader: "ts",
    }));
  },
};

// A worker that folds opens a store without sync and without projections: it has no use for these.
const nothingLater = {
  name: "nothing-later",
  setup({ onLoad }) {
    onLoad({ filter: loadedLater }, () => ({ contents: "export {};" }));
  },
};

// A page whose content security policy forbids evaluation must be able to use the package.
function refuseEvaluation() {
  for (const name of readdirSync(dist).filter((file) => file.endsWith(".js"))) {
    const found = /\bnew Function\b|\beval\(/.exec(readFileSync(join(dist, name), "utf8"));
    if (found !== null) {
      throw new Stop(`dist/${name} contains \`${found[0]}\`, which a strict content security policy refuses`);
    }
  }
}

function fingerprint(paths) {
  const hash = createHash("sha256");
  for (const path of paths) {
    for (const file of filesBelow(path)) {
      hash
        .update(file)
        .update("\0")
        .update(readFileSync(join(root, file)))
        .update("\0");
    }
  }
  return hash.digest("hex");
}

function filesBelow(path) {
  if (!existsSync(join(root, path))) {
    return [];
  }
  if (!statSync(join(root, path)).isDirectory()) {
    return [path];
  }
  return readdirSync(join(root, path))
    .sort()
    .flatMap((name) => filesBelow(join(path, name)));
}

function stampOf(folder) {
  const name = { [glue]: "engine", [dist]: "api" }[folder] ?? "example";
  return join(root, "node_modules", ".cache", "everfold", `${name}.sha256`);
}

function readStamp(folder) {
  return existsSync(folder) && existsSync(stampOf(folder)) ? readFileSync(stampOf(folder), "utf8") : undefined;
}

function writeStamp(folder, value) {
  mkdirSync(join(stampOf(folder), ".."), { recursive: true });
  writeFileSync(stampOf(folder), value);
}

if (import.meta.url === pathToFileURL(process.argv[1]).href) {
  await main(async () => {
    await build({ force: process.argv.includes("--force") });
    if (process.argv.includes("--example")) {
      await buildExample();
    }
  });
}
