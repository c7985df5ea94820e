/** Where a day stands among the days on which something happened. */
import type { Day } from "../day.ts";

/** The index of the day itself, or of the last one before it; 0 if it is before all of them. */
export function lastIndexUpTo(days: readonly Day[], day: Day): number {
  let low = 0;
  let high = days.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((days[middle] ?? "") <= day) low = middle + 1;
    else high = middle;
  }
  return Math.max(0, low - 1);
}
