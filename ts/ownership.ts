/**
 * Whose the stored rows of a projection are: of which version, and in which tab's hands.
 */
import type { CoreProjection } from "./core/rows.js";
import type { Engine } from "./engine.js";
import { type AnyEverfoldError, EverfoldError, invalidArgument } from "./errors.js";
import type { AnyProjection } from "./projection.js";
import { indexNames } from "./row-table.js";

/** Why stored rows are not for this definition to read or write; undefined if they are. */
export function notForUs(projection: AnyProjection, state: CoreProjection): AnyEverfoldError | undefined {
  const { name, version } = projection;
  const { newestVersion, checkpoint, indexes } = state;
  // Rows of its own version are good; to build them anew is for the newest version only.
  if (indexes === "" || (newestVersion > version && checkpoint === 0)) {
    return outdatedProjection(projection, newestVersion);
  }
  const own = indexNames(projection);
  return indexes === own
    ? undefined
    : invalidArgument(
        "indexes",
        `projection ${name}: its rows are stored with the indexes ${indexes}, this app has ${own}: raise \`version\`, or call \`store.rebuild(${name})\``,
      );
}

/** The store holds rows of a newer version than this app's. */
export function outdatedProjection({ name, version }: AnyProjection, newest: number): EverfoldError<"app-outdated"> {
  return new EverfoldError(
    "app-outdated",
    `projection ${name}: a newer app keeps version ${newest} of it here, this app has ${version}: update the app`,
    { definition: name, found: newest, known: version },
  );
}

/** Held by the tab that builds rows anew. */
export function rebuildLock(engine: Engine, name: string): string {
  return `${engine.lockPrefix}/rebuild/${name}`;
}

export function notOurs(name: string): EverfoldError<"rebuild-failed"> {
  return new EverfoldError("rebuild-failed", `${name}: another tab changed the rows that are being built`, {
    projection: name,
  });
}

/** Held by every tab that reads rows of this version. */
export function rowsLock(engine: Engine, name: string, version: number): string {
  return `${engine.lockPrefix}/rows/${name}/${version}`;
}
