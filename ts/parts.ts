/**
 * The parts of the engine that a page loads when it first needs them: sync, and what is seldom called, with what is made of
 * it in TypeScript (`tools.ts`).
 *
 * They are cut out of the one program (`src/bindings/sync_part.rs`, `tool_part.rs`) and join the running instance: its memory,
 * its table of functions. The engine asks for a part by itself, and waits. One that could not be loaded is asked for again with
 * the next call.
 */
import { EverfoldError } from "./errors.js";
import type { WasmFile, WasmFiles } from "./types.js";

export type Tools = typeof import("./tools.js");
export type PartName = Exclude<keyof WasmFiles, "core">;

/** The instance that parts join. */
export interface Host {
  /** Of which build it is. */
  readonly build: string;
  /** What a part imports of the instance that runs now. */
  imports(): PartImports;
  source(name: PartName): WasmFile;
}

export interface PartImports extends WebAssembly.Imports {
  readonly core: { readonly memory: WebAssembly.Memory; readonly __indirect_function_table: WebAssembly.Table };
}

/** By the memory of the instance that they joined. */
const joinedParts = new WeakMap<WebAssembly.Memory, Map<PartName, Promise<void>>>();
const compiled = new Map<PartName, Promise<WebAssembly.Module>>();
let host: Host | undefined;
let failure: unknown;

/** Tells which instance parts join. */
export function hostParts(instance: Host): void {
  host = instance;
}

/** The error of a call whose part could not be loaded, with the reason; any other as it is. */
export function withPartFailure(error: EverfoldError): EverfoldError {
  if (error.code !== "wasm-failed" || error.cause instanceof Error || failure === undefined) {
    return error;
  }
  return notLoaded(failure);
}

function notLoaded(cause: unknown): EverfoldError<"wasm-failed"> {
  const reason = cause instanceof Error ? cause.message : String(cause);
  return new EverfoldError("wasm-failed", `a part of the engine could not be loaded: ${reason}`, { reason }, { cause });
}

/**
 * The seldom calls, with their part of the engine fetched. That comes first, as it may be asked for again: a browser of
 * before 2026 remembers a module that it could not import for as long as the page lives.
 */
export async function tools(): Promise<Tools> {
  try {
    await (host && compile("tools", host));
    return await import("./tools.js");
  } catch (cause) {
    throw notLoaded(cause);
  }
}

/**
 * Fetches the seldom calls before somebody needs them: a page that has lost its network since it was opened must not miss
 * them. Never fails, as whoever needs them asks again.
 */
export async function fetchTools(): Promise<void> {
  await tools().catch(() => undefined);
}

// What the engine calls, with the function of its table that is to hear how it went.

export function loadSync(callback: number, data: number): void {
  void load("sync", callback, data);
}

export function loadTools(callback: number, data: number): void {
  void load("tools", callback, data);
}

// Each function that leads into a part asks for it once.
async function load(name: PartName, callback: number, data: number): Promise<void> {
  if (host === undefined) {
    return;
  }
  const imports = host.imports();
  const { memory, __indirect_function_table: table } = imports.core;
  let loaded = true;
  try {
    await joined(name, imports, host);
  } catch (cause) {
    failure = cause;
    loaded = false;
  }
  // After a trap nobody waits any more, and the next instance asks again.
  if (isRunning(memory)) {
    table.get(callback)(data, loaded);
  }
}

/** One part joins an instance once: its variables begin anew when it does. */
function joined(name: PartName, imports: PartImports, instance: Host): Promise<void> {
  const { memory } = imports.core;
  const parts = joinedParts.get(memory) ?? new Map<PartName, Promise<void>>();
  joinedParts.set(memory, parts);
  let part = parts.get(name);
  if (part === undefined) {
    part = compile(name, instance).then(async (module) => {
      if (isRunning(memory)) {
        await WebAssembly.instantiate(module, imports);
      }
    });
    part.catch(() => parts.delete(name));
    parts.set(name, part);
  }
  return part;
}

function isRunning(memory: WebAssembly.Memory): boolean {
  return host?.imports().core.memory === memory;
}

function compile(name: PartName, { build, source }: Host): Promise<WebAssembly.Module> {
  let module = compiled.get(name);
  if (module === undefined) {
    module = compileFile(source(name)).then((found) => ofBuild(build, found));
    module.catch(() => compiled.delete(name));
    compiled.set(name, module);
  }
  return module;
}

/** A page that was loaded before a release must not join what came with that release. */
function ofBuild(build: string, module: WebAssembly.Module): WebAssembly.Module {
  const [section] = WebAssembly.Module.customSections(module, "everfold-build");
  if (section === undefined || new TextDecoder().decode(section) !== build) {
    throw new Error("it is of another release than the page: reload the page");
  }
  return module;
}

async function compileFile(source: WasmFile): Promise<WebAssembly.Module> {
  const file = source instanceof URL ? await fetch(source) : await source;
  if (file instanceof Response) {
    if (!file.ok) {
      throw new Error(`${file.url} answers ${file.status}`);
    }
    return WebAssembly.compile(await file.arrayBuffer());
  }
  return areBytes(file) ? WebAssembly.compile(file) : file;
}

function areBytes(file: BufferSource | WebAssembly.Module): file is BufferSource {
  return file instanceof ArrayBuffer || ArrayBuffer.isView(file);
}
