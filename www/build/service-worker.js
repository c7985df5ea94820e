/* global RELEASE, FILES */
// Keeps this release of the page on the device, so that it opens without a network.
//
// The build writes RELEASE and FILES above this text. All files are fetched while installing, all or
// nothing; afterwards the page and its parts come from the cache only, so that one visit never mixes
// two releases. Data is none of its business: that is in IndexedDB.

const PREFIX = "ledger-";
const CACHE = PREFIX + RELEASE;

self.addEventListener("install", (event) => {
  event.waitUntil(keep());
});

self.addEventListener("activate", (event) => {
  event.waitUntil(takeOver());
});

self.addEventListener("fetch", (event) => {
  const { method, mode, url } = event.request;
  if (method !== "GET" || !url.startsWith(self.registration.scope)) return;
  event.respondWith(answer(event.request, mode === "navigate"));
});

async function keep() {
  const cache = await caches.open(CACHE);
  await cache.addAll(FILES.map((file) => new Request(file, { cache: "reload" })));
  await self.skipWaiting();
}

async function takeOver() {
  const names = await caches.keys();
  await Promise.all(
    names.filter((name) => name.startsWith(PREFIX) && name !== CACHE).map((name) => caches.delete(name)),
  );
  await self.clients.claim();
}

async function answer(request, isPage) {
  const cache = await caches.open(CACHE);
  const kept = await cache.match(isPage ? "./" : request, { ignoreSearch: isPage });
  return kept ?? fetch(request);
}
