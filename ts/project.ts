/**
 * `project`: a view as of then, folded in memory from some of the events; nothing is written.
 */
import { progressOf } from "./build.js";
import type { Engine } from "./engine.js";
import { checkFunctions } from "./errors.js";
import { foldInMemory } from "./log-fold.js";
import type { AnyProjection } from "./projection.js";
import { checkAborted, coreQuery } from "./read.js";
import { projectionQuery } from "./row-fold.js";
import { timeSlices } from "./slices.js";
import type { ProjectedView, ProjectOptions } from "./types.js";
import { projectedView } from "./view.js";

export async function projectRows(
  engine: Engine,
  projection: AnyProjection,
  options: ProjectOptions,
): Promise<ProjectedView> {
  const { log } = engine;
  const { onProgress, signal, from, until, clock, streams, types } = options;
  checkFunctions({ onProgress });
  const wanted = projectionQuery(projection);
  const asked = coreQuery({ from, until, clock, streams, types });
  const query = {
    ...wanted,
    ...asked,
    ...(wanted.types && asked.types && { types: asked.types.filter((type) => wanted.types?.includes(type)) }),
  };
  checkAborted(signal);
  const breathe = timeSlices();
  const began = performance.now();
  for (;;) {
    const fold = foldInMemory(engine, projection, query, signal);
    const foldTo = async (end: number) => {
      for (let done = false; !done; ) {
        done = await fold.advance(end);
        onProgress?.(progressOf("folding", 0, fold.position(), log.position(), performance.now() - began));
        await breathe();
        checkAborted(signal);
      }
    };
    try {
      const confirmed = log.confirmedPosition();
      await foldTo(confirmed);
      const [total, rebases] = [log.position(), log.rebases()];
      if (total > confirmed) {
        await foldTo(total);
        await log.catchUp();
      }
      if (log.rebases() === rebases) {
        return projectedView(projection, fold.rows, total, fold.end);
      }
    } catch (error) {
      fold.end();
      throw error;
    }
    // What is pending moved while it was read: some of it may have been read twice, or not at all.
    fold.end();
  }
}
