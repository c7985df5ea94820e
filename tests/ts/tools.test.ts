/** The seldom calls, whose module is loaded when the first of them is called. */
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import type { RebuildProgress } from "../../ts/types.js";
import { until } from "./tab.js";
import { wasm } from "./wasm-files.js";

const module = "../../ts/tools.js";

beforeEach(() => void vi.resetModules());
afterEach(() => void vi.doUnmock(module));

/** A page that has just been loaded, with a store of `events` events that are counted. */
async function fresh(events = 1) {
  const { openTestStore } = await import("../../ts/testing.js");
  const { defineProjection } = await import("../../ts/projection.js");
  const count = defineProjection({
    name: "count",
    version: 1,
    key: () => "all",
    evolve: (row: number | undefined) => (row ?? 0) + 1,
  });
  const { store } = await openTestStore({ wasm, projections: [count] });
  for (let left = events; left > 0; left -= 1_000) {
    await store.append(
      "a-1",
      Array.from({ length: Math.min(left, 1_000) }, () => ({ type: "added" })),
    );
  }
  return { store, count };
}

/** Lets the module come only when the returned function is called. */
function held(): () => void {
  let arrive = () => {};
  const arrived = new Promise<void>((resolve) => {
    arrive = resolve;
  });
  vi.doMock(module, async (original) => {
    await arrived;
    return original();
  });
  return arrive;
}

/** With what the calls reject. */
const codesOf = (calls: readonly Promise<unknown>[]) =>
  Promise.all(
    calls.map((call) =>
      call.then(
        () => "resolved",
        ({ code }) => code,
      ),
    ),
  );

test("a module that could not be loaded is an error with its reason, and is asked for again", async () => {
  const { store, count } = await fresh();
  vi.doMock(module, () => Promise.reject(new TypeError("no network")));

  for (const call of [() => store.verify(), () => store.ingest([]), () => store.rebuild(count)]) {
    await expect(call()).rejects.toMatchObject({
      code: "wasm-failed",
      message: expect.stringContaining("a part of the engine could not be loaded"),
    });
  }
  vi.doUnmock(module);

  expect(await store.verify()).toEqual({ ok: true, problems: [] });
  await store.rebuild(count);
  expect(await store.view(count).get("all")).toBe(1);
  await store.close();
});

test("a rebuild is paused and resumed before the module is there", async () => {
  const { store, count } = await fresh(12_000);
  const arrive = held();
  const seen: RebuildProgress[] = [];

  const rebuild = store.rebuild(count, { onProgress: (progress) => seen.push(progress) });
  rebuild.pause();
  arrive();
  await until(() => seen.length === 1);
  await new Promise((resolve) => setTimeout(resolve, 150));
  const whilePaused = seen.length;
  rebuild.resume();
  await rebuild;

  expect(whilePaused).toBe(1);
  expect(seen.at(-1)).toMatchObject({ processed: 12_000, phase: "switching" });
  await store.close();
});

test("a call that is aborted before the module is there does nothing", async () => {
  const { store, count } = await fresh();
  const arrive = held();
  const end = new AbortController();

  const codes = codesOf([store.rebuild(count, { signal: end.signal }), store.ingest([[]], { signal: end.signal })]);
  end.abort();
  arrive();

  expect(await codes).toEqual(["aborted", "aborted"]);
  await store.close();
});

test("a call whose store is closed before the module is there says so", async () => {
  const { store, count } = await fresh();
  const arrive = held();

  const codes = codesOf([store.rebuild(count), store.ingest([]), store.export()]);
  const closing = store.close();
  arrive();

  expect(await codes).toEqual(["store-closed", "store-closed", "store-closed"]);
  await closing;
});
