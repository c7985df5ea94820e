/**
 * Rows with what is pending on top, against a model that folds everything into one list and sorts it.
 */
import fc from "fast-check";
import { expect, test } from "vitest";
import { overlayOn } from "../../ts/overlay.js";
import { defineProjection } from "../../ts/projection.js";
import { indexValues } from "../../ts/row-fold.js";
import { memoryRows, type RowRange } from "../../ts/row-table.js";

interface Row {
  size?: number;
  name?: string;
}

const things = defineProjection({
  name: "things",
  version: 1,
  key: () => null,
  evolve: (row: Row | undefined) => row,
  indexes: { size: (row) => row.size, name: (row) => row.name, mixed: (row) => row.size ?? row.name },
});

type Rows = ReadonlyMap<string, Row | undefined>;

function stored(rows: Rows) {
  const table = memoryRows(things as never);
  for (const [key, row] of rows) {
    table.known.set(key, { key, row, stored: undefined });
  }
  return table;
}

const key = fc.constantFrom("a", "b", "ba", "c", "d", "é", "z");
const row = fc.record(
  { size: fc.integer({ min: -2, max: 3 }), name: fc.constantFrom("", "ann", "bob", "bo") },
  { requiredKeys: [] },
);
const rowsOf = (value: fc.Arbitrary<Row | undefined>) =>
  fc.array(fc.tuple(key, value), { maxLength: 8 }).map((entries): Rows => new Map(entries));
const bound = (index: number) =>
  index === 0 ? key : fc.oneof(fc.integer({ min: -3, max: 4 }), fc.constantFrom("", "ann", "b", "bob"));
const query = fc.integer({ min: 0, max: 3 }).chain((index) =>
  fc
    .record(
      {
        gte: bound(index),
        gt: bound(index),
        lte: bound(index),
        lt: bound(index),
        prefix: fc.constantFrom("", "b", "bo"),
        reverse: fc.boolean(),
        limit: fc.integer({ min: 0, max: 5 }),
      },
      { requiredKeys: [] },
    )
    .map((range): RowRange => (index === 0 ? range : { ...range, index: index - 1 }) as RowRange),
);

test("reading is as if everything were in one list", async () => {
  await fc.assert(
    fc.asyncProperty(
      rowsOf(row),
      fc.array(rowsOf(fc.option(row, { nil: undefined })), { maxLength: 3 }),
      query,
      async (below, changes, range) => {
        const overlay = overlayOn(things as never, stored(below));
        const all = new Map(below);
        for (const change of changes) {
          overlay.put([...change].map(([changed, next]) => ({ key: changed, row: next })));
          for (const [changed, next] of change) {
            all.set(changed, next);
          }
        }
        const model = stored(all);

        expect(await overlay.count()).toBe(await model.count());
        const keys = ["a", "b", "ba", "c", "d", "é", "z", "none"];
        expect((await overlay.rows(keys))?.map((found) => found ?? undefined)).toEqual(await model.rows(keys));
        expect(await overlay.list(range)).toEqual(await model.list(range));
      },
    ),
    { numRuns: 500 },
  );
});

test("pages after each other give what one list gives", async () => {
  await fc.assert(
    fc.asyncProperty(
      rowsOf(row),
      rowsOf(fc.option(row, { nil: undefined })),
      query,
      fc.integer({ min: 1, max: 3 }),
      async (below, change, { limit: _, ...range }, limit) => {
        const overlay = overlayOn(things as never, stored(below));
        overlay.put([...change].map(([changed, next]) => ({ key: changed, row: next })));
        const paged: (readonly [string, unknown])[] = [];
        for (let after: RowRange["after"]; ; ) {
          const page = (await overlay.list({ ...range, limit, ...(after && { after }) })) ?? [];
          paged.push(...page);
          const last = page.at(-1);
          if (last === undefined) {
            break;
          }
          const value = range.index === undefined ? undefined : indexValues(things as never, last[1])[range.index];
          after = value == null ? { key: last[0] } : { key: last[0], value };
        }

        expect(paged).toEqual(await overlay.list(range));
      },
    ),
    { numRuns: 300 },
  );
});

test("many hidden rows do not hide what is behind them", async () => {
  const keys = Array.from({ length: 1_000 }, (_, number) => String(number).padStart(4, "0"));
  const overlay = overlayOn(things as never, stored(new Map(keys.map((each) => [each, { size: 1 }]))));
  overlay.put(keys.slice(0, 900).map((each) => ({ key: each, row: undefined })));

  expect((await overlay.list({ limit: 2 }))?.map(([found]) => found)).toEqual(["0900", "0901"]);
  expect(await overlay.count()).toBe(100);
});

test("a list after a change orders only what has changed", async () => {
  let asked = 0;
  const counting = defineProjection({
    name: "counting",
    version: 1,
    key: () => null,
    evolve: (row: Row | undefined) => row,
    indexes: {
      size(row) {
        asked += 1;
        return row.size;
      },
    },
  });
  const overlay = overlayOn(counting as never, stored(new Map()));
  const keys = Array.from({ length: 1_000 }, (_, number) => String(number));
  overlay.put(keys.map((each, size) => ({ key: each, row: { size } })));
  await overlay.list({ index: 0, limit: 3 });
  asked = 0;

  overlay.put([
    { key: "1", row: { size: 1.5 } },
    { key: "7", row: undefined },
    { key: "new", row: { size: 2.5 } },
  ]);

  const list = await overlay.list({ index: 0, limit: 9 });
  expect(list?.map(([found]) => found)).toEqual(["0", "1", "2", "new", "3", "4", "5", "6", "8"]);
  expect(await overlay.count()).toBe(1_000);
  expect(asked).toBeLessThan(20);
});

test("rows that are gone are said to be", async () => {
  const gone = { rows: async () => null, list: async () => null, count: async () => null };
  const overlay = overlayOn(things as never, gone);

  overlay.put([{ key: "a", row: {} }]);
  expect(await overlay.rows(["b"])).toBeNull();
  expect(await overlay.list({})).toBeNull();
  expect(await overlay.count()).toBeNull();
});
