// Whether a run may be quoted: the comparison must not have been slow that day.
//
// The hand-written store was measured once on a quiet machine (docs/bench.md). A run in which it reaches
// less than 0.8 of that, in any figure that has such a reference, is not valid: the machine was busy, or
// someone has broken the comparison.

import { median } from "./statistics.mjs";

const least = 0.8;

/** Reasons against the run, empty for a valid one. */
export function reasonsAgainst(measured) {
  return measured.flatMap(({ figure, durability, samples }) => {
    const reference = referenceOf(figure, durability);
    const values = samples.get("idb")?.map(({ value }) => value);
    if (reference === undefined || values === undefined) return [];
    const found = median(values);
    const share = figure.better === "higher" ? found / reference : reference / found;
    if (share >= least) return [];
    return [
      `${figure.id}: the hand-written store reached ${share.toFixed(2)} of its reference (${found.toPrecision(3)} against ${reference} ${figure.unit})`,
    ];
  });
}

function referenceOf({ reference }, durability) {
  const idb = reference?.idb;
  return typeof idb === "object" ? idb[durability] : idb;
}
