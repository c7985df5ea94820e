/**
 * Test stores for these tests: the sources with the engine that was built.
 */
import { afterEach } from "vitest";
import type { AnyAggregate } from "../../ts/aggregate.js";
import type { AnyDecision } from "../../ts/decision.js";
import type { AnyProjection } from "../../ts/projection.js";
import { openTestStore, type TestStoreOptions } from "../../ts/testing.js";
import { wasm } from "./wasm-files.js";

const closings: (() => Promise<void>)[] = [];

afterEach(async () => {
  for (const close of closings.splice(0)) {
    await close();
  }
});

/** Opens a store that is closed after the test. */
export async function opened<
  const As extends readonly AnyAggregate[] = readonly [],
  const Ds extends readonly AnyDecision[] = readonly [],
  const Ps extends readonly AnyProjection[] = readonly [],
>(options: TestStoreOptions<As, Ds, Ps> = {}) {
  const test = await openTestStore<As, Ds, Ps>({ wasm, ...options });
  closings.push(() => test.store.close());
  return test;
}

/** All there is, in order. */
export async function all<T>(items: AsyncIterable<T>): Promise<T[]> {
  const list: T[] = [];
  for await (const item of items) {
    list.push(item);
  }
  return list;
}
