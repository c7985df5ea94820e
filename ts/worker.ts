/**
 * `everfold/worker`: a worker that folds for a parallel rebuild.
 *
 * Where the bundler does not take the package's own worker file, or the definitions cannot be reached by a
 * URL, write a worker of two lines and give it to `rebuild` as `createWorker`:
 *
 * ```ts
 * import { serveRebuild } from "everfold/worker";
 * import * as definitions from "./definitions.js";
 * serveRebuild(definitions);
 * ```
 *
 * For a projection in Rust the definitions are the engine, what `openStore({ engine })` imports.
 */
import type { AnyAggregate } from "./aggregate.js";
import type { CoreError } from "./core/error.js";
import { bound } from "./definition.js";
import { knowing, startEngine } from "./engine.js";
import { realEnvironment } from "./environment.js";
import { EverfoldError, isEverfoldError } from "./errors.js";
import type { Log } from "./log.js";
import { foldAnew, type KeyedFold } from "./log-fold.js";
import type { AnyProjection } from "./projection.js";
import { indexNames, storedRows } from "./row-table.js";
import { rustProjection } from "./rust.js";
import type { EngineModule } from "./types.js";
import { loadModule, publishedRuntime, type WasmRuntime } from "./wasm.js";
import type { FoldAnswers, FoldQuestion, FoldReply, FoldTask } from "./worker-messages.js";

/** Answers the page's rebuild with these definitions: what a module exports, by whatever names, or an engine. */
export function serveRebuild(definitions: object): void {
  serve(async () => definitions);
}

/** As `serveRebuild`, with definitions that the task tells where to find. */
export function serve(find: (task: FoldTask) => Promise<object>): void {
  let begun: { readonly fold: KeyedFold; readonly log: Log } | undefined;
  let projection = "";

  async function answer(question: FoldQuestion): Promise<FoldAnswers[keyof FoldAnswers]> {
    if (question.ask === "begin") {
      projection = question.task.projection.name;
      begun = await begin(question.task, await find(question.task));
      return null;
    }
    if (begun === undefined) {
      throw new TypeError("a worker is asked to fold before it was told what");
    }
    const { fold, log } = begun;
    switch (question.ask) {
      case "advance":
        // What is pending here may be elsewhere by now.
        if (log.confirmedPosition() < question.until) {
          await log.catchUp();
        }
        while (!(await fold.advance(question.until))) {
          // Nobody else waits for this thread.
        }
        return fold.changed();
      case "parts":
        return { parts: await fold.parts(async () => {}), keys: fold.keys() };
      default:
        await fold.forget();
        return null;
    }
  }

  addEventListener("message", ({ data }: MessageEvent<FoldQuestion>) => {
    answer(data).then(
      (found) => postMessage({ answer: found } satisfies FoldReply),
      (error: unknown) => postMessage({ error: asPlain(error, projection) } satisfies FoldReply),
    );
  });
}

async function begin(task: FoldTask, definitions: object) {
  const { name, durability, wasm, query, generation, inRust } = task;
  const runtime = inRust ? await loadModule(async () => definitions as EngineModule) : publishedRuntime;
  const engine = await startEngine({
    ...{ name, durability, storage: "indexeddb", environment: realEnvironment },
    runtime,
    wasm: () => (typeof wasm === "string" ? new URL(wasm) : wasm),
  });
  const projection = inRust ? projectionInRust(task, runtime) : projectionAmong(Object.values(definitions), task);
  const aggregates = inRust ? [] : [...Object.values(definitions).filter(isAggregate), ...(projection.from ?? [])];
  const rows = {
    rows: async (keys: readonly string[]) => (await storedRows(engine.connection, generation).rows(keys)) ?? [],
  };
  const source = { generation, query, rows, signal: undefined };
  return { log: engine.log, fold: foldAnew(knowing(engine, aggregates), projection, source) };
}

function projectionInRust({ projection }: FoldTask, runtime: WasmRuntime): AnyProjection {
  const found: AnyProjection = bound(rustProjection(projection.name), runtime);
  if (!isMeant(found, projection)) {
    throw missing(projection);
  }
  return found;
}

/** By shape: the module may bring a copy of this package of its own. */
function projectionAmong(exported: readonly unknown[], { projection }: FoldTask): AnyProjection {
  const isWanted = (value: unknown) => {
    const found = (value ?? {}) as Partial<AnyProjection>;
    return typeof found.key === "function" && isMeant(found as AnyProjection, projection);
  };
  const found = exported.find(isWanted);
  if (found === undefined) {
    throw missing(projection);
  }
  return found as AnyProjection;
}

/** Whether it is the page's: rows of other indexes must not be mixed with those. */
function isMeant(found: AnyProjection, { name, version, indexes }: FoldTask["projection"]): boolean {
  return found.name === name && found.version === version && indexNames(found) === indexes;
}

function missing({ name, version, indexes }: FoldTask["projection"]): EverfoldError {
  return new EverfoldError(
    "rebuild-failed",
    `${name}: the module of the workers does not export version ${version} of this projection with the indexes ${indexes}`,
    { projection: name },
  );
}

function isAggregate(value: unknown): value is AnyAggregate {
  return typeof (value as Partial<AnyAggregate> | null)?.initialState === "function";
}

/** What is wrong with the worker's own engine or module is no fault of the page's: the rebuild failed. */
const ofTheWorker: readonly string[] = ["invalid-argument", "wasm-failed"];

function asPlain(error: unknown, projection: string): CoreError {
  if (isEverfoldError(error) && !ofTheWorker.includes(error.code)) {
    return { code: error.code, message: error.message, details: error.details };
  }
  const message = error instanceof Error ? error.message : String(error);
  return { code: "rebuild-failed", message: `${projection}: a worker failed: ${message}`, details: { projection } };
}
