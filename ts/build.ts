/**
 * Building the rows of a projection anew: beside the live ones, in a generation of their own, then one
 * switch. It is what `rebuild` does, and what a new version does by itself.
 *
 * Every few seconds the rows so far are put aside, packed, with the checkpoint that they stand for: a
 * reload goes on from there. They are written where they are read only once, at the end or when they
 * become many, in transactions so short that appends do not notice.
 */
import type { CoreProjection, CoreRowWrite } from "./core/rows.js";
import type { Engine } from "./engine.js";
import { EverfoldError, isEverfoldError } from "./errors.js";
import { withLock } from "./lock.js";
import { foldAnew, type LogFold } from "./log-fold.js";
import { notOurs, outdatedProjection, rebuildLock } from "./ownership.js";
import type { AnyProjection } from "./projection.js";
import { checkAborted } from "./read.js";
import { projectionQuery } from "./row-fold.js";
import { indexNames, projectionState, storedRows } from "./row-table.js";
import { timeSlices } from "./slices.js";
import type { RebuildPhase, RebuildProgress } from "./types.js";
import { foldInWorkers, type WorkerOptions } from "./worker-fold.js";

/** What whoever wants the rows has to say meanwhile. */
export interface BuildControl {
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((progress: RebuildProgress) => void) | undefined;
  /** Pending while the build is paused. */
  readonly paused?: (() => Promise<void> | undefined) | undefined;
  /** Throws when nobody wants the rows any more. */
  readonly check?: (() => void) | undefined;
  /** Set to fold in workers. */
  readonly workers?: WorkerOptions | undefined;
}

/** A checkpoint at most so often, and never more than a tenth of the time for them. */
const checkpointMs = 5_000;
const checkpointShare = 10;
/** More rows than these are not kept aside. */
const rowsAside = 30_000;
const progressMs = 50;
/** A paused one looks so often whether it has been ended. */
const lookMs = 100;
const dropAtOnce = 5_000;

/**
 * Builds and switches. Rejects with `rebuild-running` if that is under way, here or in another tab; ended by its signal
 * or by a failure it leaves the live rows as they are, ended in any other way it is taken up by the next call.
 */
export async function buildRows(engine: Engine, projection: AnyProjection, control: BuildControl): Promise<void> {
  await exclusively(engine, projection, () => build(engine, projection, control));
}

/** Runs what replaces rows of a projection while nobody else does, in no tab. */
export async function exclusively<T>(engine: Engine, { name }: AnyProjection, work: () => Promise<T>): Promise<T> {
  const done = await withLock(rebuildLock(engine, name), work);
  if (done === undefined) {
    throw new EverfoldError("rebuild-running", `${name} is being rebuilt already`, { projection: name });
  }
  return done.result;
}

async function build(engine: Engine, projection: AnyProjection, control: BuildControl): Promise<void> {
  const { name, version } = projection;
  const { connection } = engine;
  const { signal } = control;
  checkAborted(signal);
  const before = await projectionState(connection, projection);
  if (before.newestVersion > version) {
    throw outdatedProjection(projection, before.newestVersion);
  }
  // Which keys a partition made is known to the workers that made them only: these begin anew.
  const resume = control.workers === undefined;
  if (!(resume && before.resumable)) {
    await engine.rebuildStarts({ projection: name, version });
  }
  const { rebuild } = await connection.ask<CoreProjection>((core) =>
    core.tool("beginRebuild", [name, version, resume, indexNames(projection)]),
  );
  if (rebuild === null) {
    throw notOurs(name);
  }
  const { generation } = rebuild;
  let fold: LogFold | undefined;
  try {
    await flush(engine, projection, generation, signal);
    fold = control.workers
      ? await foldInWorkers(engine, projection, generation, control.workers)
      : foldAnew(engine, projection, {
          generation,
          query: { ...projectionQuery(projection), afterPosition: rebuild.checkpoint },
          signal,
          rows: {
            async rows(keys) {
              const rows = await storedRows(connection, generation).rows(keys);
              if (rows === null) {
                throw notOurs(name);
              }
              return rows;
            },
          },
        });
    await drive(engine, projection, fold, generation, control);
  } catch (error) {
    if (!isEverfoldError(error, "store-closed")) {
      await abandon(engine, projection, generation).catch(() => undefined);
    }
    throw error;
  } finally {
    fold?.end?.();
  }
  engine.idle.later(`old rows of ${name}`, () => dropIdly(engine, before.generation));
}

/** Drops a rebuild that failed, unless only the answer was lost and its rows are the live ones now. */
async function abandon(engine: Engine, projection: AnyProjection, generation: number): Promise<void> {
  const { rebuild } = await projectionState(engine.connection, projection);
  if (rebuild?.generation === generation) {
    await dropGeneration(engine, generation);
  }
}

/** Folds to the end of the log, writes, switches. */
async function drive(
  engine: Engine,
  projection: AnyProjection,
  fold: LogFold,
  generation: number,
  { signal, onProgress, paused, check = engine.check }: BuildControl,
): Promise<void> {
  const { name, version } = projection;
  const { connection, log } = engine;
  const slice = timeSlices();
  let release = engine.idle.hold();
  const from = fold.position();
  let checkpoint = from;
  let total = log.confirmedPosition();
  let began = performance.now();
  let pausedMs = 0;
  let lastCheckpoint = began;
  let checkpointTook = 0;
  let lastProgress = Number.NEGATIVE_INFINITY;

  async function breathe(): Promise<void> {
    await slice();
    checkAborted(signal);
    check();
  }

  /** Waits while it is paused; what there is is put aside, in case the page is closed meanwhile. */
  async function rest(): Promise<void> {
    if (paused?.() === undefined) {
      return;
    }
    if (fold.position() > checkpoint) {
      await putAside();
    }
    release();
    const since = performance.now();
    await whilePaused(paused, () => {
      checkAborted(signal);
      check();
    });
    pausedMs += performance.now() - since;
    release = engine.idle.hold();
  }

  function report(phase: RebuildPhase): void {
    const now = performance.now();
    if (onProgress !== undefined && (phase !== "folding" || now - lastProgress >= progressMs)) {
      lastProgress = now;
      onProgress(progressOf(phase, from, fold.position(), total, now - began - pausedMs));
    }
  }

  async function putAside(): Promise<void> {
    const since = performance.now();
    const parts = await fold.parts(breathe);
    const write = { name, version, generation, expectedCheckpoint: checkpoint, checkpoint: fold.position(), rows: [] };
    if (
      !(await connection.call((core) => core.tool("stageRows", [JSON.stringify(write satisfies CoreRowWrite), parts])))
    ) {
      throw notOurs(name);
    }
    checkpoint = fold.position();
    lastCheckpoint = performance.now();
    checkpointTook = lastCheckpoint - since;
  }

  async function write(): Promise<void> {
    report("writing");
    await putAside();
    await flush(engine, projection, generation, signal, breathe);
    await fold.forget();
  }

  async function toTheEnd(): Promise<void> {
    total = log.confirmedPosition();
    while (!(await fold.advance(total))) {
      report("folding");
      await breathe();
      await rest();
      if (fold.changed() >= rowsAside) {
        await write();
      } else if (performance.now() - lastCheckpoint >= Math.max(checkpointMs, checkpointShare * checkpointTook)) {
        await putAside();
      }
    }
    lastProgress = Number.NEGATIVE_INFINITY;
    report("folding");
    await write();
    report("switching");
    checkAborted(signal);
  }

  try {
    await toTheEnd();
    while (!(await connection.call((core) => core.tool("switchGeneration", [name, version, generation])))) {
      // The live rows are ahead: what was appended meanwhile is folded, too.
      await log.catchUp();
      if (checkpoint >= log.confirmedPosition()) {
        throw notOurs(name);
      }
      began = performance.now();
      pausedMs = 0;
      await toTheEnd();
    }
  } finally {
    release();
  }
}

/** Resolves once nothing is pending that says so, now and then after `check`. */
export async function whilePaused(paused: BuildControl["paused"], check: () => void): Promise<void> {
  for (let pause = paused?.(); pause !== undefined; pause = paused?.()) {
    await Promise.race([pause, new Promise((resolve) => setTimeout(resolve, lookMs))]);
    check();
  }
}

/** Writes what was put aside where it is read, a part in a transaction. */
async function flush(
  engine: Engine,
  { name, version }: AnyProjection,
  generation: number,
  signal: AbortSignal | undefined,
  breathe?: () => Promise<void>,
): Promise<void> {
  while (!(await engine.connection.call((core) => core.tool("flushRows", [name, version, generation])))) {
    checkAborted(signal);
    await breathe?.();
  }
}

/** Numbers for `onProgress`. */
export function progressOf(
  phase: RebuildPhase,
  from: number,
  processed: number,
  total: number,
  tookMs: number,
): RebuildProgress {
  const eventsPerSecond = tookMs > 0 ? ((processed - from) * 1_000) / tookMs : 0;
  return {
    processed,
    total,
    phase,
    eventsPerSecond,
    remainingMs: eventsPerSecond > 0 ? (Math.max(0, total - processed) * 1_000) / eventsPerSecond : null,
  };
}

/** Deletes the rows of a generation, a batch after the other, each when there is nothing better to do. */
export function dropIdly(engine: Engine, generation: number): Promise<void> {
  return dropGeneration(engine, generation, engine.idle.turn);
}

/** The same for what is left of generations that a page which was closed had begun to delete. */
export async function dropOrphans({ connection, idle }: Engine): Promise<void> {
  while (!(await connection.call((core) => core.tool("dropOrphans", [dropAtOnce])))) {
    await idle.turn();
  }
}

async function dropGeneration(engine: Engine, generation: number, between?: () => Promise<void>): Promise<void> {
  while (!(await engine.connection.call((core) => core.tool("dropGeneration", [generation, dropAtOnce])))) {
    await between?.();
  }
}
