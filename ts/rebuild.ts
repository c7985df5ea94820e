/**
 * `rebuild`: the rows of a projection anew, beside the live ones, then one switch.
 *
 * Readers keep the old rows until the switch and never see a mixture. One tab at a time rebuilds a
 * projection; ended by a signal or a failure, it leaves the live rows as they are.
 */
import type { CoreProjection } from "./core.js";
import type { Engine } from "./engine.js";
import { EverfoldError, isEverfoldError } from "./errors.js";
import { withLock } from "./lock.js";
import { outdatedProjection, type Projector, rebuildLock } from "./projector.js";
import { checkAborted, readPages } from "./read.js";
import { foldRows, isFoldFailure, type KnownRows, keyEvents, projectionQuery } from "./row-fold.js";
import { projectionState, rowWriteText, storedRows } from "./row-table.js";
import type { RebuildOptions } from "./types.js";

/** Rows kept in memory while they are folded; above, they are read again when needed. */
const rowsKept = 100_000;
const dropAtOnce = 1_000;

export async function rebuildRows(engine: Engine, projector: Projector, options: RebuildOptions): Promise<void> {
  const { projection } = projector;
  const { name } = projection;
  checkAborted(options.signal);
  const done = await withLock(rebuildLock(engine, name), () => rebuild(engine, projector, options));
  if (done === undefined) {
    throw new EverfoldError("rebuild-running", `${name} is being rebuilt already`, { projection: name });
  }
}

async function rebuild(engine: Engine, projector: Projector, { onProgress, signal }: RebuildOptions): Promise<void> {
  const { projection } = projector;
  const { name, version } = projection;
  const { connection, log } = engine;
  const before = await projectionState(connection, projection);
  if (before.newestVersion > version) {
    throw outdatedProjection(projection, before.newestVersion);
  }
  const begun = await connection.ask<CoreProjection>((core) => core.beginRebuild(name, version, false));
  const generation = begun.rebuild?.generation;
  if (generation === undefined) {
    throw new EverfoldError("rebuild-failed", `${name}: the rebuild did not begin`, { projection: name });
  }
  const total = log.position();
  const rows: KnownRows = new Map();
  let checkpoint = 0;

  async function foldTo(position: number): Promise<void> {
    for await (const page of readPages(
      engine,
      { ...projectionQuery(projection), afterPosition: checkpoint, untilPosition: position },
      signal,
    )) {
      const keyed = keyEvents(projection, page.events);
      const unknown = [...new Set(keyed.flatMap(({ keys }) => keys))].filter((key) => !rows.has(key));
      const found = unknown.length > 0 ? await storedRows(connection, generation as number).rows(unknown) : [];
      for (const [index, key] of unknown.entries()) {
        rows.set(key, found?.[index] ?? undefined);
      }
      const changes = foldRows(projection, keyed, rows);
      const head = {
        name,
        version,
        generation: generation as number,
        expectedCheckpoint: checkpoint,
        checkpoint: page.position,
      };
      onProgress?.({ processed: page.position, total, phase: "writing" });
      if (!(await connection.call((core) => core.writeRows(rowWriteText(head, changes))))) {
        throw new EverfoldError("rebuild-failed", `${name}: another tab changed the rows that are being built`, {
          projection: name,
        });
      }
      checkpoint = page.position;
      if (rows.size > rowsKept) {
        rows.clear();
      }
      onProgress?.({ processed: checkpoint, total, phase: "folding" });
    }
  }

  try {
    for (;;) {
      await foldTo(log.position());
      checkAborted(signal);
      onProgress?.({ processed: checkpoint, total, phase: "switching" });
      if (await connection.call((core) => core.switchGeneration(name, version, generation))) {
        break;
      }
      // The live rows are ahead: what was appended meanwhile is folded, too.
      await log.catchUp();
      if (checkpoint >= log.position()) {
        throw new EverfoldError("rebuild-failed", `${name}: another tab rebuilt it`, { projection: name });
      }
    }
  } catch (error) {
    await drop(engine, generation).catch(() => undefined);
    throw isFoldFailure(error) ? failed(name, error) : error;
  }
  projector.reload();
  engine.idle.later(`old rows of ${name}`, () => drop(engine, before.generation));
}

async function drop(engine: Engine, generation: number): Promise<void> {
  while (!(await engine.connection.call((core) => core.dropGeneration(generation, dropAtOnce)))) {
    // One batch of rows after another.
  }
}

function failed(name: string, cause: Error): EverfoldError<"rebuild-failed"> {
  const partition = isEverfoldError(cause, "projection-failed") ? cause.details.streamId : undefined;
  const details = partition === undefined ? { projection: name } : { projection: name, partition };
  return new EverfoldError("rebuild-failed", `${name}: ${cause.message}`, details, { cause });
}
