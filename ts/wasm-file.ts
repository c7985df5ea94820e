/**
 * Where the wasm files are: beside this module. Bundlers look for this very form of a URL, so each is written once.
 */
import type { WasmFiles } from "./types.js";

/** The URL of a file; in Node its bytes, because Node's fetch does not read files. */
export function wasmFile(name: keyof WasmFiles): URL | Uint8Array<ArrayBuffer> {
  const url = {
    core: () => new URL("./everfold.wasm", import.meta.url),
    sync: () => new URL("./everfold-sync.wasm", import.meta.url),
    tools: () => new URL("./everfold-tools.wasm", import.meta.url),
  }[name]();
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
    getBuiltinModule?(name: "node:fs"): { readFileSync(url: URL): Uint8Array<ArrayBuffer> } | undefined;
  };
}
