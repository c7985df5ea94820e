/**
 * Folding in several workers at once, each a range of the streams.
 *
 * The workers go on together, a stretch of the log at a time, so that between two stretches their rows are
 * those of one position: a driver may put them aside, pause or report as with a fold of its own thread. Order
 * is kept inside a stream, which is all that a projection declared `partition: "stream"` relies on.
 */
import type { Engine } from "./engine.js";
import { EverfoldError, errorFromCore, isEverfoldError } from "./errors.js";
import { ownFoldsOf } from "./folds.js";
import type { LogFold } from "./log-fold.js";
import type { AnyProjection } from "./projection.js";
import { projectionQuery } from "./row-fold.js";
import { indexNames } from "./row-table.js";
import { coreFile, publishedRuntime } from "./wasm.js";
import { wasmFile } from "./wasm-file.js";
import type { FoldAnswers, FoldQuestion, FoldReply, FoldTask } from "./worker-messages.js";

/** Positions that the workers fold before they wait for each other. */
const stretch = 65_536;

/** Which workers, and what they fold by; `RebuildOptions` says more. */
export interface WorkerOptions {
  readonly workers: number;
  readonly module: URL | string | undefined;
  readonly createWorker: () => Worker;
}

/** A fold that holds workers until it is ended. */
export interface WorkerFold extends LogFold {
  end(): void;
}

/** Starts the workers, at most `workers`, and waits until each has the store open. */
export async function foldInWorkers(
  engine: Engine,
  projection: AnyProjection,
  generation: number,
  { workers, module, createWorker }: WorkerOptions,
): Promise<WorkerFold> {
  const { name, version } = projection;
  const inRust = ownFoldsOf(projection) !== undefined;
  const query = projectionQuery(projection);
  const bounds = await engine.connection.ask<string[]>((core) =>
    core.tool("streamBounds", [query.prefix ?? "", workers]),
  );
  const threads: Worker[] = [];
  const end = () => {
    for (const thread of threads) {
      thread.terminate();
    }
  };
  /** Which worker has a key. */
  const owners = new Map<string, number>();
  let position = 0;
  let changed = 0;

  const failed = (message: string, options?: ErrorOptions) =>
    new EverfoldError("rebuild-failed", `${name}: ${message}`, { projection: name }, options);

  function ask<Q extends FoldQuestion>(thread: Worker, question: Q): Promise<FoldAnswers[Q["ask"]]> {
    return new Promise((resolve, reject) => {
      thread.onmessage = ({ data }: MessageEvent<FoldReply>) => {
        if ("error" in data) {
          reject(errorFromCore(data.error));
        } else {
          resolve(data.answer as FoldAnswers[Q["ask"]]);
        }
      };
      thread.onerror = (event) => {
        event.preventDefault();
        reject(failed(`a worker stopped: ${event.message || "its file could not be loaded"}`));
      };
      thread.onmessageerror = () => reject(failed("a worker's answer could not be read"));
      thread.postMessage(question);
    });
  }

  const askAll = <Q extends FoldQuestion>(question: Q) => Promise.all(threads.map((thread) => ask(thread, question)));

  try {
    const task: Omit<FoldTask, "query"> = {
      name: engine.name,
      durability: engine.durability,
      wasm: await sendable(engine, inRust),
      module: module === undefined ? undefined : new URL(module, location.href).href,
      inRust,
      projection: { name, version, indexes: indexNames(projection) },
      generation,
    };
    await Promise.all(
      [undefined, ...bounds].map((firstStream, place) => {
        const thread = createWorker();
        threads.push(thread);
        const range = { ...(firstStream && { firstStream }), ...(bounds[place] && { beforeStream: bounds[place] }) };
        return ask(thread, { ask: "begin", task: { ...task, query: { ...query, ...range } } });
      }),
    );
  } catch (error) {
    end();
    throw isEverfoldError(error) ? error : failed(`no worker could be started: ${String(error)}`, { cause: error });
  }

  return {
    position: () => position,
    async advance(until) {
      const next = Math.min(until, position + stretch);
      const counts = await askAll({ ask: "advance", until: next });
      changed = counts.reduce((sum, count) => sum + count, 0);
      position = next;
      return position === until;
    },
    changed: () => changed,
    async parts() {
      const answers = await askAll({ ask: "parts" });
      for (const [place, { keys }] of answers.entries()) {
        for (const key of keys) {
          if ((owners.get(key) ?? place) !== place) {
            throw failed(
              `key ${JSON.stringify(key)} is of streams in two partitions: the projection is not to be declared \`partition: "stream"\``,
            );
          }
          owners.set(key, place);
        }
      }
      return answers.map(({ parts }) => parts).join("");
    },
    async forget() {
      await askAll({ ask: "forget" });
      changed = 0;
    },
    end,
  };
}

async function sendable({ runtime, wasm }: Engine, inRust: boolean): Promise<FoldTask["wasm"]> {
  // Definitions in TypeScript are folded by the published engine, whatever the page has.
  const given = inRust || runtime === publishedRuntime ? coreFile(wasm()) : undefined;
  const source = await (given ?? (inRust ? undefined : wasmFile("core")));
  return source instanceof URL ? source.href : source instanceof Response ? source.url : source;
}
