/**
 * Where the wasm file is: beside this module. Bundlers look for this very form of a URL, so it is written once.
 */

/** The file's URL; in Node its bytes, because Node's fetch does not read files. */
export function wasmFile(): URL | Uint8Array {
  const url = new URL("./everfold.wasm", import.meta.url);
  if (url.protocol === "file:") {
    const files = (globalThis as NodeGlobal).process?.getBuiltinModule?.("node:fs");
    if (files !== undefined) {
      return files.readFileSync(url);
    }
  }
  return url;
}

interface NodeGlobal {
  readonly process?: {
    getBuiltinModule?(name: "node:fs"): { readFileSync(url: URL): Uint8Array } | undefined;
  };
}
