/**
 * Long work in slices: other tasks of the page run in between, so that none of them waits long.
 */

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

type Yielding = { readonly yield?: () => Promise<void> } | undefined;

function nextTask(): Promise<void> {
  const scheduler = (globalThis as { readonly scheduler?: Yielding }).scheduler;
  if (typeof scheduler?.yield === "function") {
    return scheduler.yield();
  }
  // A timer of 0 ms is one of 4 ms when it is set again and again.
  return new Promise((resolve) => {
    const { port1, port2 } = new MessageChannel();
    port1.onmessage = () => {
      port1.close();
      resolve();
    };
    port2.postMessage(null);
  });
}
