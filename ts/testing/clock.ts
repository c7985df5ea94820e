/**
 * Time and ids for tests: both go on only as the test says.
 */

/** A clock that stands still until it is told. */
export interface FakeClock {
  /** Milliseconds since the epoch. */
  now(): number;
  advance(ms: number): void;
  set(time: number): void;
}

/** A clock that shows `start`, by default 2020-01-01 UTC. */
export function fakeClock(start = Date.UTC(2020, 0, 1)): FakeClock {
  let time = start;
  return {
    now: () => time,
    advance(ms) {
      time += ms;
    },
    set(next) {
      time = next;
    },
  };
}

/** Ids that are the same in every run with the same seed, and unlike each other. */
export function seededIds(seed = 1): () => string {
  let state = seed >>> 0;
  let count = 0;
  // mulberry32: enough to make ids look like ids; the count makes them differ.
  const next = () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0).toString(36).padStart(7, "0");
  };
  return () => `${next()}${next()}${(++count).toString(36).padStart(6, "0")}`;
}
