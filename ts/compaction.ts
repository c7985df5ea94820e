/**
 * When small segments are merged: in idle time after enough was written, and when the app asks.
 *
 * How they are merged, and why nobody notices, is the core's business.
 */
import type { Engine } from "./engine.js";
import { checkAborted } from "./read.js";
import type { Abortable } from "./types.js";

/** Idle time merges at least so many at once, so that an event is rewritten about four times in its life. */
const idleRun = 8;
/** Only two make a merge worth while when it is asked for. */
const askedRun = 2;
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

/** Merges whatever is small. */
export async function compactStore({ connection }: Engine, { signal }: Abortable): Promise<void> {
  await connection.call((core) => core.seal());
  do {
    checkAborted(signal);
  } while (await connection.call((core) => core.compact(askedRun)));
}
