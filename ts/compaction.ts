/**
 * When the log is compacted: small segments are merged in idle time after enough was written, and a long tail is sealed once
 * nothing was written for a moment. When the app asks, it is `compactStore`.
 *
 * How that is done, and why nobody notices, is the core's business.
 */
import type { Engine } from "./engine.js";

/** Idle time merges so many of one size at once, or fewer that fill a segment: an event is rewritten about twice in its life. */
const idleRun = 8;
/** Changes of the log between two looks: the append path seals every 256 records. */
const changesBetweenLooks = 256;
/** Whoever loads first in the next page decodes the whole tail: from so many events on that is felt. */
const longTail = 1_000;
/** Nothing was written for so long: one that is in the middle of something is not kept waiting. */
const quietMs = 300;

/** Compacts in idle time. Returns what ends it. */
export function compactWhenIdle({ log, idle, connection, storage }: Engine): () => void {
  let changes = 0;
  let changesSeen = -1;
  let timer: ReturnType<typeof setTimeout> | undefined;

  // A failure is nobody's loss: the next look tries again.
  const merge = async () => {
    if (await connection.call((core) => core.tool("compact", [idleRun]))) {
      idle.later("merge", merge);
    }
  };
  const seal = async () => {
    if (await connection.call((core) => core.seal(longTail))) {
      idle.later("merge", merge);
    }
  };

  function sealOnceQuiet(): void {
    timer = undefined;
    if (changesSeen === changes) {
      idle.later("seal", seal);
    } else {
      changesSeen = changes;
      timer = setTimeout(sealOnceQuiet, quietMs);
    }
  }

  function onChange(): void {
    changes += 1;
    if (changes % changesBetweenLooks === 0) {
      idle.later("merge", merge);
    }
    if (storage !== "memory") {
      timer ??= setTimeout(sealOnceQuiet, quietMs);
    }
  }

  const stopHearing = log.onChange(onChange);
  // A page that was closed at once left its tail as it was.
  onChange();
  return () => {
    stopHearing();
    clearTimeout(timer);
  };
}
