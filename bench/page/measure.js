// What a figure finds in the page beside `bench.open` of its store: events, and timed commits.

/** Events of the ledger, `count` from the `from`-th. Fetched before a clock runs. */
export const events = async (from, count) => (await fetch(`/events?from=${from}&count=${count}`)).json();

/** Pages of events, the next one under way while one is used. */
export async function* pagesOfEvents(count, pageSize) {
  let next = events(0, Math.min(pageSize, count));
  for (let from = 0; from < count; from += pageSize) {
    const page = await next;
    const following = from + pageSize;
    next = following < count ? events(following, Math.min(pageSize, count - following)) : undefined;
    yield page;
  }
}

/**
 * Batches of `count` events that are made in the page as they are asked for: `ledger`, one round of it, again
 * and again with new account ids. Nothing is fetched or parsed while a clock runs.
 */
export async function* replayed(ledger, count, batchSize) {
  for (let from = 0; from < count; from += batchSize) {
    yield Array.from({ length: Math.min(batchSize, count - from) }, (_, offset) => {
      const { streamId, version, type, data, occurredAt } = ledger[(from + offset) % ledger.length];
      const round = String(Math.floor((from + offset) / ledger.length)).padStart(2, "0");
      return { streamId: streamId.slice(0, -2) + round, version, type, data, occurredAt };
    });
  }
}

const appendOne = (store, event) => store.append(event.streamId, event.version - 1, [event]);

/** Commits each event by itself, `inFlight` of them under way at any moment, in the order given. */
export async function commitEach(store, list, inFlight) {
  let next = 0;
  const lane = async () => {
    while (next < list.length) {
      const event = list[next];
      next += 1;
      await appendOne(store, event);
    }
  };
  await Promise.all(Array.from({ length: inFlight }, lane));
}

/**
 * Acknowledged single-event commits a second, after `warmUp` commits that do not count. Ends after `ms`
 * or with the last event, whichever comes first, and counts until the last commit is acknowledged.
 */
export async function commitRate(store, list, { inFlight, ms, warmUp }) {
  await commitEach(store, list.slice(0, warmUp), inFlight);
  let next = warmUp;
  const start = performance.now();
  const lane = async () => {
    while (next < list.length && performance.now() - start < ms) {
      const event = list[next];
      next += 1;
      await appendOne(store, event);
    }
  };
  await Promise.all(Array.from({ length: inFlight }, lane));
  return ((next - warmUp) * 1000) / (performance.now() - start);
}
