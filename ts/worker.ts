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
 */
import type { AnyAggregate } from "./aggregate.js";
import type { CoreError } from "./core.js";
import { knowing, startEngine } from "./engine.js";
import { realEnvironment } from "./environment.js";
import { EverfoldError, isEverfoldError } from "./errors.js";
import type { Log } from "./log.js";
import { foldLog, type LogFold } from "./log-fold.js";
import type { AnyProjection } from "./projection.js";
import type { KnownRows } from "./row-fold.js";
import { storedRows } from "./row-table.js";
import { publishedRuntime } from "./wasm.js";
import type { FoldAnswers, FoldQuestion, FoldReply, FoldTask } from "./worker-messages.js";

/** Answers the page's rebuild with these definitions: what a module exports, by whatever names. */
export function serveRebuild(definitions: object): void {
  serve(async () => definitions);
}

/** As `serveRebuild`, with definitions that the task tells where to find. */
export function serve(find: (task: FoldTask) => Promise<object>): void {
  const known: KnownRows = new Map();
  let begun: { readonly fold: LogFold; readonly log: Log } | undefined;

  async function answer(question: FoldQuestion): Promise<FoldAnswers[keyof FoldAnswers]> {
    if (question.ask === "begin") {
      begun = await begin(question.task, await find(question.task), known);
      return null;
    }
    if (begun === undefined) {
      throw new TypeError("a worker is asked to fold before it was told what");
    }
    const { fold, log } = begun;
    switch (question.ask) {
      case "advance":
        if (log.position() < question.until) {
          await log.catchUp();
        }
        while (!(await fold.advance(question.until))) {
          // Nobody else waits for this thread.
        }
        return fold.changed();
      case "parts":
        return { parts: await fold.parts(async () => {}), keys: [...known.keys()] };
      default:
        await fold.forget();
        return null;
    }
  }

  addEventListener("message", ({ data }: MessageEvent<FoldQuestion>) => {
    answer(data).then(
      (found) => postMessage({ answer: found } satisfies FoldReply),
      (error: unknown) => postMessage({ error: asPlain(error) } satisfies FoldReply),
    );
  });
}

async function begin(task: FoldTask, definitions: object, known: KnownRows) {
  const { name, durability, wasm, query, generation } = task;
  const exported: readonly unknown[] = Object.values(definitions);
  const projection = exported.find((value) => isProjection(value, task.projection)) as AnyProjection | undefined;
  if (projection === undefined) {
    const { name, version } = task.projection;
    throw new EverfoldError(
      "rebuild-failed",
      `${name}: the module of the workers does not export version ${version} of this projection`,
      { projection: name },
    );
  }
  const engine = await startEngine({
    ...{ name, durability, storage: "indexeddb", environment: realEnvironment },
    runtime: publishedRuntime,
    wasm: () => wasm,
  });
  const aggregates = new Set<AnyAggregate>([...exported.filter(isAggregate), ...(projection.from ?? [])]);
  const rows = {
    rows: async (keys: readonly string[]) => (await storedRows(engine.connection, generation).rows(keys)) ?? [],
  };
  return { log: engine.log, fold: foldLog(knowing(engine, [...aggregates]), { projection, query, rows, known }) };
}

/** By shape: the module may bring a copy of this package of its own. */
function isProjection(value: unknown, wanted: FoldTask["projection"]): boolean {
  const { name, version, key } = (value ?? {}) as Partial<AnyProjection>;
  return typeof key === "function" && name === wanted.name && version === wanted.version;
}

function isAggregate(value: unknown): value is AnyAggregate {
  return typeof (value as Partial<AnyAggregate> | null)?.initialState === "function";
}

function asPlain(error: unknown): CoreError {
  if (isEverfoldError(error)) {
    return { code: error.code, message: error.message, details: error.details };
  }
  const message = error instanceof Error ? error.message : String(error);
  return { code: "rebuild-failed", message: `a worker failed: ${message}` };
}
