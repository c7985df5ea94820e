/**
 * Salts of events: without one, a short payload could be guessed from its digest.
 */

const bytesEach = 16;
const pool = new Uint8Array(bytesEach * 256);
let used = pool.length;

/** 32 hexadecimal digits, random. */
export function newSalt(): string {
  if (used === pool.length) {
    crypto.getRandomValues(pool);
    used = 0;
  }
  let salt = "";
  for (let end = used + bytesEach; used < end; used += 1) {
    salt += ((pool[used] as number) | 256).toString(16).slice(1);
  }
  return salt;
}
