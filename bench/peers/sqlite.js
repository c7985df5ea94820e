// The same event store on SQLite compiled to WebAssembly: this side, in the page.
//
// The database runs in a worker, the only place where the origin private file system is fast. Calls are
// posted as they come and answered in order; events go over as they are, results come back small, since
// the worker folds.

/** @type {import("./store").Open} */
export async function open(options) {
  const worker = new Worker("/stores/sqlite-worker.js", { type: "module" });
  const waiting = new Map();
  let lastCall = 0;

  worker.onmessage = ({ data: { call, result, error } }) => {
    const { resolve, reject } = waiting.get(call);
    waiting.delete(call);
    if (error === undefined) resolve(result);
    else reject(new Error(error));
  };
  worker.onerror = (event) => {
    for (const { reject } of waiting.values()) reject(new Error(`the SQLite worker failed: ${event.message}`));
  };
  const ask = (method, ...args) =>
    new Promise((resolve, reject) => {
      lastCall += 1;
      waiting.set(lastCall, { resolve, reject });
      worker.postMessage({ call: lastCall, method, args });
    });

  await ask("open", options);
  return {
    append: (streamId, expectedVersion, events) => ask("append", streamId, expectedVersion, events),
    load: (accountId) => ask("load", accountId),
    snapshot: (accountId) => ask("snapshot", accountId),
    balance: (accountId) => ask("balance", accountId),
    /** One batch ahead, so that the worker never waits for the page. */
    async ingest(batches) {
      let previous;
      for await (const events of batches) {
        const next = ask("ingest", events);
        await previous;
        previous = next;
      }
      await previous;
    },
    scan: () => ask("scan"),
    async close() {
      await ask("close");
      worker.terminate();
    },
  };
}
