navigator.serviceWorker.addEventListener("message", ({ data }) => (document.title = data));
await navigator.serviceWorker.register("./worker.js", { type: "module" });
const registration = await navigator.serviceWorker.ready;
registration.active.postMessage("commit");
