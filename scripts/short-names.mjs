// Short names for what the wasm file and its glue call each other.
//
// wasm-bindgen ends them with hashes, which do not compress and stand in both files: 3 KiB of what a page downloads.

import { readFileSync, writeFileSync } from "node:fs";
import { Stop } from "./command.mjs";

/** For wasm-opt, which then prints the names that it gave. */
export const shortNames = "--minify-imports-and-exports-and-modules";

/** Gives the glue the names that wasm-opt printed. */
export function renameInGlue(file, printed) {
  if (printed === undefined) {
    throw new Stop("wasm-opt does not take what wasm-bindgen made");
  }
  const { imports, exports } = JSON.parse(printed);
  const [[module]] = imports;
  const importNames = new Map(imports.map(([, name, short]) => [name, short]));
  const exportNames = new Map(exports);
  const used = new Set();
  const renamed = (names, name) => {
    used.add(name);
    return names.get(name) ?? name;
  };
  const glue = readFileSync(file, "utf8")
    .replace(`"${module}"`, '"a"')
    .replace(/^( {8})(\w+)(?=: )/gm, (_, indent, name) => indent + renamed(importNames, name))
    .replace(/\bwasm\.(\w+)/g, (_, name) => `wasm.${renamed(exportNames, name)}`);
  const unused = [...importNames.keys()].filter((name) => !used.has(name));
  if (unused.length > 0) {
    throw new Stop(`the glue of wasm-bindgen has no ${unused.join(", ")}: is it written in another way now?`);
  }
  writeFileSync(file, glue);
}
