/* global RELEASE, FILES */
// Keeps this release of the page on the device, so that it opens without a network.
//
// The build writes RELEASE and FILES above this text. All files are fetched while installing, all or
// nothing; afterwards the page and its parts come from the cache. A new release is fetched behind the
// page's back and shown at its next load; the one before is kept, because open pages may still want
// parts of it. Data is none of its business: that is in IndexedDB, and what devices exchange with a server
// goes past this worker.

const PREFIX = "ledger-";
const CACHE = PREFIX + RELEASE;
const OF_THE_SERVER = /^\/(v1|dev|healthz|readyz|metrics)(\/|$)/;

self.addEventListener("install", (event) => {
  event.waitUntil(keep());
});

self.addEventListener("activate", (event) => {
  event.waitUntil(takeOver());
});

self.addEventListener("fetch", (event) => {
  const { method, mode, url } = event.request;
  if (method !== "GET" || !url.startsWith(self.registration.scope)) return;
  if (OF_THE_SERVER.test(new URL(url).pathname)) return;
  event.respondWith(answer(event.request, mode === "navigate"));
});

async function keep() {
  const cache = await caches.open(CACHE);
  await cache.addAll(FILES.map((file) => new Request(file, { cache: "reload" })));
  await self.skipWaiting();
}

async function takeOver() {
  // In the order in which they were made: the last of the others is the release before.
  const others = (await caches.keys()).filter((name) => name.startsWith(PREFIX) && name !== CACHE);
  await Promise.all(others.slice(0, -1).map((name) => caches.delete(name)));
  await self.clients.claim();
}

async function answer(request, isPage) {
  const kept = isPage ? await (await caches.open(CACHE)).match("./") : await caches.match(request);
  return kept ?? fetch(request);
}
