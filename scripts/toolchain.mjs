// How Rust is compiled to WebAssembly on this machine.
//
// On most machines rustup's own toolchain gets the target and nothing else is needed. Where rustup can fetch nothing,
// Debian's compiler is used for wasm builds only: it sits beside rustup's, is registered under a name of its own, and
// has its standard library built here once, because Debian ships none for this target.

import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { homedir, tmpdir } from "node:os";
import { delimiter, dirname, join } from "node:path";
import { ask, isProgram, onPath, root, run, Stop, step } from "./command.mjs";

export const target = "wasm32-unknown-unknown";

/** The name under which rustup knows Debian's compiler. */
const linkedName = "everfold-wasm";

// The tests and the page need exactly the wasm-bindgen of Cargo.lock, a user may have another one in ~/.cargo/bin, and
// several checkouts should share one: so each version has a folder of its own, outside `target`.
const cargoHome = process.env.CARGO_HOME ?? join(homedir(), ".cargo");
const toolFolder = process.env.EVERFOLD_TOOLS ?? join(cargoHome, "everfold");

const wasmPackVersion = "0.15.1";
const wasmSplitVersion = "0.2.3";

/** The environment for wasm builds: the right toolchain, and wasm-bindgen and wasm-pack on PATH. */
export function wasmEnvironment() {
  const toolchain = findToolchain();
  if (toolchain === undefined) {
    throw new Stop("the wasm target is missing: run `npm run setup`");
  }
  return { ...toolchain, PATH: [...tools().map((tool) => join(tool.prefix, "bin")), process.env.PATH].join(delimiter) };
}

/** Whether wasm builds use Debian's compiler. */
export function usesDebian() {
  return findToolchain()?.RUSTUP_TOOLCHAIN === linkedName;
}

export async function setUpWasmTarget() {
  if (findToolchain() !== undefined) {
    return;
  }
  if (!debianOnly() && (await addByRustup())) {
    return;
  }
  await step("wasm target from Debian's packages, as rustup cannot fetch it", setUpDebian);
}

export async function setUpWasmTools() {
  for (const { crate, version, prefix, program, locked, features } of tools()) {
    if (!isProgram(join(prefix, "bin", program))) {
      await step(`${crate} ${version} (built once, one to three minutes)`, () =>
        run(
          "cargo",
          [
            ...["install", crate, "--version", version, "--root", prefix],
            ...(locked ? ["--locked"] : []),
            ...(features === undefined ? [] : ["--features", features]),
          ],
          { quiet: true, cwd: tmpdir() },
        ),
      );
    }
  }
}

function tools() {
  const bindgen = lockedVersion("wasm-bindgen");
  // wasm-bindgen-cli without `--locked`: its lock file can name a crate version that has since been withdrawn.
  return [
    { crate: "wasm-bindgen-cli", version: bindgen, program: "wasm-bindgen-test-runner", locked: false },
    { crate: "wasm-pack", version: wasmPackVersion, program: "wasm-pack", locked: true },
    {
      ...{ crate: "wasm_split_cli_support", version: wasmSplitVersion, program: "wasm-split-cli", locked: true },
      features: "build-binary",
    },
  ].map((tool) => ({ ...tool, prefix: join(toolFolder, `${tool.crate}-${tool.version}`) }));
}

function lockedVersion(crate) {
  const lock = readFileSync(join(root, "Cargo.lock"), "utf8");
  const version = new RegExp(`name = "${crate}"\nversion = "([^"]+)"`).exec(lock)?.[1];
  if (version === undefined) {
    throw new Stop(`Cargo.lock does not name ${crate}`);
  }
  return version;
}

function findToolchain() {
  if (!debianOnly() && hasStandardLibrary({})) {
    return {};
  }
  const linked = { RUSTUP_TOOLCHAIN: linkedName };
  return hasStandardLibrary(linked) ? linked : undefined;
}

function hasStandardLibrary(env) {
  const folder = ask("rustc", ["--print", "target-libdir", "--target", target], { env });
  return folder !== undefined && existsSync(folder) && readdirSync(folder).some((name) => name.startsWith("libstd-"));
}

/** Lets CI and a developer try the fallback on a machine where rustup works. */
function debianOnly() {
  return process.env.EVERFOLD_RUST === "debian";
}

async function addByRustup() {
  try {
    await step(`rustup target add ${target}`, () =>
      run("rustup", ["target", "add", target], { quiet: true, env: { RUSTUP_MAX_RETRIES: "1" } }),
    );
  } catch {
    process.stderr.write("  rustup could not fetch it\n");
    return false;
  }
  return hasStandardLibrary({});
}

async function setUpDebian() {
  if (onPath("apt-get") === undefined || process.getuid?.() !== 0) {
    throw new Stop(
      `the wasm target is missing and rustup cannot fetch it: run \`rustup target add ${target}\` when online, or this as root on Debian`,
    );
  }
  await run("apt-get", ["update", "-qq"], { quiet: true });
  const lld = newestLld();
  await aptInstall(["rustc-web", "cargo-web", "rust-web-src", "rust-web-clippy", lld]);
  await buildStandardLibrary();
  linkLinker(lld);
  await run("rustup", ["toolchain", "link", linkedName, "/usr"]);
  if (findToolchain() === undefined) {
    throw new Stop("Debian's compiler was installed but does not find its wasm standard library");
  }
}

function newestLld() {
  const versions = (ask("apt-cache", ["search", "--names-only", "^lld-[0-9]+$"]) ?? "")
    .split("\n")
    .map((line) => Number(/^lld-(\d+) /.exec(line)?.[1] ?? 0));
  return `lld-${Math.max(...versions)}`;
}

export async function aptInstall(packages) {
  await run("apt-get", ["install", "-y", "-qq", "--no-install-recommends", ...packages], {
    quiet: true,
    env: { DEBIAN_FRONTEND: "noninteractive" },
  });
}

// `test` is part of it for `wasm-pack test`, and the bitcode for `lto = true`.
async function buildStandardLibrary() {
  const libraries = ask("/usr/bin/rustc", ["--print", "target-libdir", "--target", target]);
  if (existsSync(libraries)) {
    return;
  }
  const probe = mkdtempSync(join(tmpdir(), "everfold-std-"));
  try {
    mkdirSync(join(probe, "src"));
    writeFileSync(join(probe, "src", "lib.rs"), "");
    writeFileSync(
      join(probe, "Cargo.toml"),
      '[package]\nname = "probe"\nversion = "0.0.0"\nedition = "2021"\n[workspace]\n',
    );
    await run("/usr/bin/cargo", ["build", "--release", "--target", target, "-Zbuild-std=std,panic_abort,test"], {
      cwd: probe,
      quiet: true,
      env: {
        RUSTC: "/usr/bin/rustc",
        RUSTC_BOOTSTRAP: "1",
        // The library's panics would name the folder of its dependencies in every wasm linked with it.
        RUSTFLAGS: `-C embed-bitcode=yes --remap-path-prefix=${cargoHome}=cargo`,
        RUSTUP_TOOLCHAIN: undefined,
        CARGO_TARGET_DIR: join(probe, "target"),
      },
    });
    const built = join(probe, "target", target, "release", "deps");
    const partial = `${libraries}.partial`;
    rmSync(partial, { recursive: true, force: true });
    mkdirSync(partial, { recursive: true });
    for (const name of readdirSync(built)) {
      if (name.endsWith(".rlib") && !name.startsWith("libprobe-")) {
        cpSync(join(built, name), join(partial, name));
      }
    }
    renameSync(partial, libraries);
  } finally {
    rmSync(probe, { recursive: true, force: true });
  }
}

// rustc looks for its linker under this name in its own folder, and Debian's has none there.
function linkLinker(lld) {
  const host = /^host: (.+)$/m.exec(ask("/usr/bin/rustc", ["-vV"]))[1];
  const link = join(ask("/usr/bin/rustc", ["--print", "sysroot"]), "lib", "rustlib", host, "bin", "rust-lld");
  const program = ask("dpkg", ["-L", lld])
    .split("\n")
    .find((file) => file.endsWith("/bin/lld"));
  if (!existsSync(link)) {
    mkdirSync(dirname(link), { recursive: true });
    symlinkSync(program, link);
  }
}
