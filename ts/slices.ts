/**
 * Long work in slices: other tasks of the page run in between, so that none of them waits long.
 */

import { nextTask } from "./turn.js";

/** Well below a frame, because a slice ends only between two pieces of work. */
const sliceMs = 8;

/** Waits for the next task whenever a slice is over. */
export function timeSlices(): () => Promise<void> {
  let began = performance.now();
  return async () => {
    if (performance.now() - began >= sliceMs) {
      await nextTask();
      began = performance.now();
    }
  };
}
