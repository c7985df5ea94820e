/**
 * The worker file of this package: beside this module. Bundlers look for this very form of a URL, so it is written
 * once, and where the worker file itself does not reach it.
 */
export function packageWorker(): Worker {
  return new Worker(new URL("./rebuild-worker.js", import.meta.url), { type: "module" });
}
