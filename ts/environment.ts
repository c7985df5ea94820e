/**
 * What the run time takes from the outside and a test replaces: the clock and random ids.
 */

import type { Core } from "./core.js";

/** The clock and the source of ids of one engine. */
export interface Environment {
  /** Milliseconds since the epoch. */
  now(): number;
  /** A new id for a commit or a replica, never seen before. */
  newId(): string;
  /** Hears of each instance of the core that the engine opens: a test makes its storage fail. */
  readonly coreOpened?: ((core: Core) => void) | undefined;
}

/** The real ones. */
export const realEnvironment: Environment = { now: () => Date.now(), newId: randomId };

const alphabet = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz-";
const idLength = 20;
const pool = new Uint8Array(idLength * 100);
let used = pool.length;

/**
 * 120 random bits in 20 characters. `crypto.randomUUID` is missing outside of secure contexts and
 * spends 36 characters on 122 bits, which every commit would store.
 */
function randomId(): string {
  if (used === pool.length) {
    crypto.getRandomValues(pool);
    used = 0;
  }
  let id = "";
  for (let end = used + idLength; used < end; used += 1) {
    id += alphabet[(pool[used] as number) & 63];
  }
  return id;
}
