// The engine's wasm file, cut into what every page loads and the parts that are loaded when they are first called.
//
// wasm-split follows what the linker noted (`--emit-relocs`): what only the functions of a part reach goes into its file.
// Parts import the memory, the function table and the stack of the core, and call it through the table.

import { createHash } from "node:crypto";
import { appendFileSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Stop } from "./command.mjs";

/** The parts, as `wasm_split` names them in src/bindings. */
export const parts = ["sync", "tools"];

/** What the core exports for its parts, and the module that wasm-split has them import it from. */
const joint = ["memory", "__indirect_function_table", "__wasm_split_shared0"];
export const jointModule = "__wasm_split";

/**
 * That module for files that are merged into one part: what they import from it, the part imports from `core`. `text` is one of
 * them as wasm-dis writes it.
 */
export function jointText(text) {
  const handedOn = joint.map((name) => {
    const found = new RegExp(`^ \\(import "${jointModule}" "${name}" \\((\\w+) \\S+ (.*)\\)\\)$`, "m").exec(text);
    if (found === null) {
      throw new Stop(`a part does not import ${name}: does wasm-split write parts in another way now?`);
    }
    const [, kind, type] = found;
    return `(import "core" "${name}" (${kind} ${type})) (export "${name}" (${kind} 0))`;
  });
  return `(module ${handedOn.join(" ")})`;
}

/** What parts share has no variables: each part brings it, and the second one would set them back. `text` is by wasm-dis. */
export function refuseVariables(text) {
  const variables = /^ \(data \$\.(?:data|bss)\b.* "[^"]+"\)$/m.exec(text);
  if (variables !== null) {
    throw new Stop("the parts share a variable: let the core use it too, so that it is the core's");
  }
}

/** The files in the folder that wasm-split wrote: a part, or what several parts share. */
export function filesOf(folder) {
  const names = readdirSync(folder).filter((name) => name.endsWith(".wasm") && name !== "main.wasm");
  const known = new Set(parts.map((part) => `split_${part}.wasm`));
  const missing = [...known].filter((name) => !names.includes(name));
  if (missing.length > 0) {
    throw new Stop(`wasm-split made no ${missing.join(", ")}`);
  }
  return {
    files: parts.map((part) => [part, join(folder, `split_${part}.wasm`)]),
    shared: names.filter((name) => !known.has(name)).map((name) => join(folder, name)),
  };
}

/** What tells one build from another: a part that joined the core of another build would write over what is not its own. */
export function buildOf(file) {
  return createHash("sha256").update(readFileSync(file)).digest("hex").slice(0, 16);
}

/** Writes into a part of which build it is, as a section that engines pass over. */
export function stamp(file, build) {
  const [name, content] = ["everfold-build", build].map((text) => Buffer.from(text));
  const body = Buffer.concat([Buffer.of(name.length), name, content]);
  appendFileSync(file, Buffer.concat([Buffer.of(0, body.length), body]));
}

/** Lets the glue of wasm-bindgen hand the core to ts/parts.ts, and ts/parts.ts to the core. */
export function joinGlue(file, build) {
  const glue = readFileSync(file, "utf8");
  const imported = /^import \* as \w+ from "\.\/__wasm_split\.js"\n/gm;
  const given = /^ {8}"\.\/__wasm_split\.js": \w+,\n/gm;
  const own = /^ {4}const import0 = \{\n {8}__proto__: null,\n/m;
  if (![imported, given, own].every((pattern) => glue.search(pattern) >= 0)) {
    throw new Stop("the glue of wasm-bindgen does not import the parts: is it written in another way now?");
  }
  const loaders = parts.map(
    (part) => `        __wasm_split_load_${part}: load${part[0].toUpperCase()}${part.slice(1)},\n`,
  );
  const names = parts.map((part) => `load${part[0].toUpperCase()}${part.slice(1)}`);
  writeFileSync(
    file,
    `import { ${names.join(", ")} } from "../ts/parts";\n${glue
      .replace(imported, "")
      .replace(given, "")
      .replace(own, (found) => found + loaders.join(""))}
export const partBuild = "${build}";
export function partImports() {
    return { core: { ${joint.map((name) => `${name}: wasm.${name}`).join(", ")} } };
}
`,
  );
  // The types beside it.
  const types = file.replace(/js$/, "d.ts");
  writeFileSync(
    types,
    `${readFileSync(types, "utf8")}\nexport const partBuild: string;\nexport function partImports(): WebAssembly.Imports;\n`,
  );
}
