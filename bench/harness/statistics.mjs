// Medians and spreads. Ratios are taken within a pair, since both halves met the same machine.

export function median(values) {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

/** The median with the range of all values: with seven of them a quartile would hide more than it tells. */
export const summarise = (values) => ({ median: median(values), min: Math.min(...values), max: Math.max(...values) });

/** How many times better `ours` is than `theirs`, pair by pair. */
export const ratios = (ours, theirs, better) =>
  ours.map((value, pair) => (better === "higher" ? value / theirs[pair] : theirs[pair] / value));
