/**
 * `rebuild`: the rows of a projection anew, all of them or those of some streams.
 *
 * Readers keep the old rows until the new ones are complete and never see a mixture.
 */
import { type BuildControl, buildRows, exclusively, progressOf, whilePaused } from "./build.js";
import { isCount } from "./definition.js";
import type { Engine } from "./engine.js";
import { checkFunctions, EverfoldError, invalidArgument, isEverfoldError } from "./errors.js";
import { foldInMemory } from "./log-fold.js";
import { notForUs } from "./ownership.js";
import type { AnyProjection } from "./projection.js";
import type { Projector } from "./projector.js";
import { checkAborted } from "./read.js";
import { indexValues, isFoldFailure, projectionQuery } from "./row-fold.js";
import { projectionState, type RowWriteHead, storedRows } from "./row-table.js";
import { timeSlices } from "./slices.js";
import { checkId } from "./stream-id.js";
import type { RebuildOptions } from "./types.js";
import { packageWorker } from "./worker-file.js";
import type { WorkerOptions } from "./worker-fold.js";

const maxWorkers = 64;

/** Makes the rows anew; `paused` is pending while that is to rest. */
export async function rebuildRows(
  engine: Engine,
  projector: Projector,
  options: RebuildOptions,
  paused: () => Promise<void> | undefined,
): Promise<void> {
  const { projection } = projector;
  checkFunctions({ onProgress: options.onProgress, createWorker: options.createWorker });
  const control: BuildControl = { signal: options.signal, onProgress: options.onProgress, paused };
  const { streams } = options;
  const workers = options.workers === undefined ? undefined : checkWorkers(engine, projection, options);
  try {
    if (streams === undefined) {
      await buildRows(engine, projection, { ...control, workers });
    } else {
      checkPartition("streams", projection);
      if (!Array.isArray(streams)) {
        throw invalidArgument("streams", "streams must be a list of stream ids");
      }
      const ids = streams.map((id) => checkId(id, "streams"));
      await exclusively(engine, projection, () => rebuildStreams(engine, projector, ids, control));
    }
  } catch (error) {
    throw isFoldFailure(error) && !isEverfoldError(error, "app-outdated") ? failed(projection.name, error) : error;
  }
  engine.rebuilt.tell({ projection: projection.name, own: true });
}

function checkPartition(argument: string, { name, partition }: AnyProjection): void {
  if (partition !== "stream") {
    throw invalidArgument(
      argument,
      `projection ${name} is not declared \`partition: "stream"\`: its rows may be of other streams, too`,
    );
  }
}

function checkWorkers(engine: Engine, projection: AnyProjection, options: RebuildOptions): WorkerOptions {
  const { workers, streams, module, createWorker } = options;
  if (!isCount(workers) || workers > maxWorkers) {
    throw invalidArgument("workers", `workers is ${String(workers)}, must be a whole number from 1 to ${maxWorkers}`);
  }
  checkPartition("workers", projection);
  if (streams !== undefined) {
    throw invalidArgument("workers", "single streams are rebuilt in the calling thread: leave out workers");
  }
  if (engine.storage === "memory") {
    throw invalidArgument("workers", "a store in memory cannot be read by workers: leave out workers");
  }
  if (module === undefined && createWorker === undefined) {
    throw invalidArgument("module", "workers need the definitions: give `module` or `createWorker`");
  }
  return { workers, module, createWorker: createWorker ?? packageWorker };
}

/** Folds some streams up to where the rows are, and puts the new rows in the place of the old ones. */
async function rebuildStreams(
  engine: Engine,
  { projection }: Projector,
  streams: readonly string[],
  { signal, onProgress, paused }: BuildControl,
): Promise<void> {
  const { name, version } = projection;
  const { connection, log } = engine;
  checkAborted(signal);
  await engine.rebuildStarts({ projection: name, version, streams });
  const query = { ...projectionQuery(projection), streams };
  let fold = foldInMemory(engine, projection, query, signal);
  let foldedOf: string | undefined;
  const breathe = timeSlices();
  const check = () => {
    checkAborted(signal);
    engine.check();
  };
  const began = performance.now();
  try {
    for (;;) {
      const state = await projectionState(connection, projection);
      const problem = notForUs(projection, state);
      if (problem !== undefined) {
        throw problem;
      }
      const { generation, checkpoint, revision, failedAt } = state;
      if (foldedOf !== undefined || log.confirmedPosition() < checkpoint) {
        // Another tab has folded what is not known here yet.
        await log.catchUp();
      }
      const of = [generation, revision, log.rebases()].join();
      if (foldedOf !== undefined && foldedOf !== of) {
        // The log was cut: what was folded may be of events that are no more.
        fold.end();
        fold = foldInMemory(engine, projection, query, signal);
      }
      foldedOf = of;
      while (fold.position() < checkpoint && !(await fold.advance(checkpoint))) {
        onProgress?.(progressOf("folding", 0, fold.position(), checkpoint, performance.now() - began));
        await breathe();
        await whilePaused(paused, check);
        check();
      }
      const changed = await fold.all();
      const found = await storedRows(connection, generation).rows(changed.map(({ key }) => key));
      if (found === null) {
        continue;
      }
      onProgress?.(progressOf("writing", 0, checkpoint, checkpoint, performance.now() - began));
      const head: RowWriteHead = {
        ...{ name, version, generation, revision, failedAt },
        ...{ expectedCheckpoint: checkpoint, checkpoint, replaces: true },
      };
      const rows = changed.map(({ key, row, text = JSON.stringify(row ?? null) }, place) => {
        const values = [found[place] ?? undefined, row].map((value) => indexValues(projection, value));
        return `[${JSON.stringify(key)},${text},${values.map((value) => JSON.stringify(value)).join()}]`;
      });
      const write = `${JSON.stringify(head).slice(0, -1)},"rows":[${rows.join()}]}`;
      if (await connection.call((core) => core.writeRows(write))) {
        return;
      }
      // The projection went on meanwhile: so do these.
    }
  } finally {
    fold.end();
  }
}

function failed(name: string, cause: Error): EverfoldError<"rebuild-failed"> {
  const partition = isEverfoldError(cause, "projection-failed") ? cause.details.streamId : undefined;
  const details = partition === undefined ? { projection: name } : { projection: name, partition };
  return new EverfoldError("rebuild-failed", `${name}: ${cause.message}`, details, { cause });
}
