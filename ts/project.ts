/**
 * `project`: a view as of then, folded in memory from some of the events; nothing is written.
 */
import { progressOf } from "./build.js";
import type { Engine } from "./engine.js";
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
  const { onProgress, signal, from, until, clock, streams, types } = options;
  const wanted = projectionQuery(projection);
  const asked = coreQuery({ from, until, clock, streams, types });
  const query = {
    ...wanted,
    ...asked,
    ...(wanted.types && asked.types && { types: asked.types.filter((type) => wanted.types?.includes(type)) }),
  };
  checkAborted(signal);
  const total = engine.log.position();
  const fold = foldInMemory(engine, projection, query, signal);
  const breathe = timeSlices();
  const began = performance.now();
  try {
    for (let done = false; !done; ) {
      done = await fold.advance(total);
      onProgress?.(progressOf("folding", 0, fold.position(), total, performance.now() - began));
      await breathe();
      checkAborted(signal);
    }
  } catch (error) {
    fold.end();
    throw error;
  }
  return projectedView(projection, fold.rows, total, fold.end);
}
