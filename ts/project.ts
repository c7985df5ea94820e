/**
 * `project`: a view as of then, folded in memory from some of the events; nothing is written.
 */
import type { Engine } from "./engine.js";
import type { AnyProjection } from "./projection.js";
import { coreQuery, readPages } from "./read.js";
import { foldRows, keyEvents, projectionQuery } from "./row-fold.js";
import { memoryRows } from "./row-table.js";
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
  const total = engine.log.position();
  const rows = memoryRows(projection);
  const query = {
    ...wanted,
    ...asked,
    ...(wanted.types && asked.types && { types: asked.types.filter((type) => wanted.types?.includes(type)) }),
    untilPosition: total,
  };
  for await (const page of readPages(engine, query, signal)) {
    foldRows(projection, keyEvents(projection, page.events), rows.known);
    onProgress?.({ processed: page.position, total, phase: "folding" });
  }
  return projectedView(projection, rows, total, () => {
    rows.known.clear();
    rows.changed();
  });
}
