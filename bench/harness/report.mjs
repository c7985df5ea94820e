// Turns samples into the figures of the JSON file and of the printed table.
//
// A ratio above 1 means that everfold is better, whatever the unit. Values and ratios are medians over the
// pairs; a spread is the range over them.

import { median, ratios, summarise } from "./statistics.mjs";

/** One entry of `figures` in the JSON file, or `undefined` in a run without everfold. */
export function entryOf(figure, durability, samples) {
  const values = new Map([...samples].map(([store, taken]) => [store, taken.map(({ value }) => value)]));
  const stores = Object.fromEntries([...values].map(([store, list]) => [store, summarise(list)]));
  const ours = values.get("everfold");
  const compared = Object.fromEntries(
    [...values]
      .filter(([store]) => ours !== undefined && store !== "everfold")
      .map(([store, theirs]) => [store, summarise(ratios(ours, theirs, figure.better))]),
  );
  const entry = {
    id: figure.id,
    what: figure.what,
    ...(durability && { durability }),
    value: ours && rounded(stores.everfold.median),
    unit: figure.unit,
    spread: ours && range(stores.everfold),
    ratios: mapped(compared, ({ median }) => rounded(median)),
    ratioSpreads: mapped(compared, range),
    peers: mapped(without(stores, "everfold"), ({ median, ...rest }) => ({
      value: rounded(median),
      spread: range(rest),
    })),
    pairs: Math.max(...[...values.values()].map((list) => list.length)),
    ...partsOf(samples),
  };
  return ours && figure.limit ? { ...entry, limit: figure.limit, met: isMet(figure.limit, entry) } : entry;
}

/** Medians of the parts that samples came with, by store. */
function partsOf(samples) {
  const withParts = [...samples].filter(([, taken]) => taken[0].parts !== undefined);
  if (withParts.length === 0) return {};
  const medians = (taken) =>
    mapped(taken[0].parts, (_, part) => rounded(median(taken.map(({ parts }) => parts[part]))));
  return { parts: Object.fromEntries(withParts.map(([store, taken]) => [store, medians(taken)])) };
}

/** Undefined when a peer that the limit names was not measured. */
function isMet({ ratioToIdb, ratioToSqlite, atMost, atLeast }, { value, durability, ratios }) {
  const parts = [];
  if (atMost !== undefined) parts.push(value <= atMost);
  const least = leastOf(atLeast, durability);
  if (least !== undefined) parts.push(value >= least);
  if (ratioToIdb !== undefined) parts.push(reaches(ratios.idb, ratioToIdb));
  if (ratioToSqlite !== undefined) parts.push(reaches(ratios.sqlite, ratioToSqlite));
  return parts.includes(false) ? false : parts.includes(undefined) ? undefined : true;
}

/** One for all, or one for each durability. */
const leastOf = (atLeast, durability) => (typeof atLeast === "object" ? atLeast[durability] : atLeast);

/** A limit of "as good" passes from 0.9, since a median of seven pairs moves by that much. */
const reaches = (ratio, limit) => (ratio === undefined ? undefined : ratio >= (limit === 1 ? 0.9 : limit));

export function tableOf(entries, stores) {
  const peers = stores.filter((store) => store !== "everfold");
  const head = [
    "figure",
    "",
    "unit",
    ...stores,
    ...(stores.length > peers.length ? peers.map((peer) => `x ${peer}`) : []),
    "limit",
  ];
  const rows = entries.map((entry) => [
    entry.id,
    entry.durability ?? "",
    entry.unit,
    ...stores.map((store) => {
      const { value, spread } = store === "everfold" ? entry : (entry.peers[store] ?? {});
      return value === undefined
        ? "-"
        : `${shown(value)}${spread[0] === spread[1] ? "" : ` (${shown(spread[0])}-${shown(spread[1])})`}`;
    }),
    ...(stores.length > peers.length
      ? peers.map((peer) =>
          entry.ratios[peer] === undefined
            ? "-"
            : `${shown(entry.ratios[peer])} (${entry.ratioSpreads[peer].map(shown).join("-")})`,
        )
      : []),
    entry.limit === undefined
      ? ""
      : `${limitText(entry.limit, entry.durability)}${entry.met === undefined ? "" : entry.met ? ": met" : ": MISSED"}`,
  ]);
  const widths = head.map((_, column) => Math.max(...[head, ...rows].map((row) => row[column].length)));
  return [head, ...rows]
    .map((row) =>
      row
        .map((cell, column) => cell.padEnd(widths[column]))
        .join("  ")
        .trimEnd(),
    )
    .join("\n");
}

const limitText = ({ ratioToIdb, ratioToSqlite, atMost, atLeast }, durability) =>
  [
    atMost !== undefined && `at most ${atMost}`,
    leastOf(atLeast, durability) !== undefined && `at least ${shown(leastOf(atLeast, durability))}`,
    ratioToIdb !== undefined && `${shown(ratioToIdb)} x idb`,
    ratioToSqlite !== undefined && `${ratioToSqlite} x sqlite`,
  ]
    .filter(Boolean)
    .join(", ");

const range = ({ min, max }) => [rounded(min), rounded(max)];
const rounded = (value) => Number(value.toPrecision(4));
const shown = (value) =>
  value >= 1000 ? Math.round(value).toLocaleString("en") : String(Number(value.toPrecision(3)));
const mapped = (object, change) =>
  Object.fromEntries(Object.entries(object).map(([key, value]) => [key, change(value, key)]));
const without = (object, key) => Object.fromEntries(Object.entries(object).filter(([found]) => found !== key));
