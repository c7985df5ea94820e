/** The number that a new account gets. */

/** Bare digits that people count with. Longer ones are a bank's own ids, which the next one is not guessed from. */
const COUNTED = /^\d{1,9}$/;

/** One above the highest of the numbers that are taken, from 1001. */
export function nextNumber(taken: readonly string[]): string {
  const highest = taken.reduce((found, id) => (COUNTED.test(id) ? Math.max(found, Number(id)) : found), 1000);
  const known = new Set(taken);
  let next = highest + 1;
  while (known.has(String(next))) next += 1;
  return String(next);
}
