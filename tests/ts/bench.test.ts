// What the bench says about its samples: a ratio that points the wrong way would turn every figure around.

import { expect, test } from "vitest";
import { entryOf } from "../../bench/harness/report.mjs";
import { reasonsAgainst } from "../../bench/harness/validity.mjs";
import { generateRows } from "../../bench/ledger/generated.mjs";
import { Ledger } from "../../bench/ledger/source.mjs";

const rate = { id: "rate", unit: "commits/s", better: "higher", limit: { ratioToIdb: 1.2 }, reference: { idb: 100 } };
const time = { id: "time", unit: "ms", better: "lower", limit: { ratioToIdb: 1 }, reference: { idb: 1 } };

const samples = (values: Record<string, number[]>) =>
  new Map(Object.entries(values).map(([store, list]) => [store, list.map((value) => ({ value }))]));

test("a higher rate is a ratio above one", () => {
  const entry = entryOf(rate, "strict", samples({ everfold: [200, 300, 200], idb: [100, 100, 200] }));

  expect(entry).toMatchObject({ durability: "strict", value: 200, spread: [200, 300], ratios: { idb: 2 }, met: true });
});

test("a shorter time is a ratio above one", () => {
  const entry = entryOf(time, undefined, samples({ everfold: [1, 2, 4], idb: [2, 2, 2] }));

  expect(entry).toMatchObject({ value: 2, ratios: { idb: 1 }, ratioSpreads: { idb: [0.5, 2] }, met: true });
});

test("a limit of one passes from nine tenths and no lower", () => {
  const metAt = (ours: number) => entryOf(time, undefined, samples({ everfold: [ours], idb: [1] })).met;

  expect([metAt(1.1), metAt(1.2)]).toEqual([true, false]);
});

test("a run whose hand-written store was slow gives the reason why it is not valid", () => {
  const slowRate = { figure: rate, samples: samples({ idb: [70, 79, 90] }) };
  const fineTime = { figure: time, samples: samples({ idb: [1.2] }) };

  expect(reasonsAgainst([slowRate, fineTime])).toEqual([expect.stringContaining("0.79 of its reference")]);
});

test("versions of every generated stream count up from one in every round", () => {
  const ledger = new Ledger(generateRows(), "generated", "for this test");
  const heads = new Map<string, number>();

  for (const event of ledger.events(0, 60_000)) {
    expect(event.version).toBe((heads.get(event.streamId) ?? 0) + 1);
    heads.set(event.streamId, event.version);
  }
});
