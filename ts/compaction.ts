/**
 * When small segments are merged: in idle time after enough was written. When the app asks, it is `compactStore`.
 *
 * How they are merged, and why nobody notices, is the core's business.
 */
import type { Engine } from "./engine.js";

/** Idle time merges so many of one size at once, or fewer that fill a segment: an event is rewritten about twice in its life. */
const idleRun = 8;
/** Changes of the log between two looks: the append path seals every 256 records. */
const changesBetweenLooks = 256;

/** Merges in idle time. Returns what ends it. */
export function compactWhenIdle({ log, idle, connection }: Engine): () => void {
  let changes = 0;
  const look = async () => {
    // A failure is nobody's loss: the next look tries again.
    if (await connection.call((core) => core.compact(idleRun))) {
      idle.later("compact", look);
    }
  };
  return log.onChange(() => {
    changes += 1;
    if (changes % changesBetweenLooks === 0) {
      idle.later("compact", look);
    }
  });
}
