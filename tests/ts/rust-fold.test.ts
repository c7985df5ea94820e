/** What is pending, folded by definitions in Rust: by a fold that answers when the test says so. */
import { expect, test } from "vitest";
import type { Engine } from "../../ts/engine.js";
import type { AnyProjection } from "../../ts/projection.js";
import { rustFolds } from "../../ts/rust-fold.js";

/** A fold of as many steps as it is asked for; each ends when `step` is called. */
function stepped() {
  const steps: (() => void)[] = [];
  const core = {
    advance: () => new Promise<string>((resolve) => steps.push(() => resolve('{"next":"more"}'))),
    parts: async () => "",
    forget() {},
    end() {},
  };
  const engine = { connection: { call: async (use: (on: unknown) => unknown) => use({}) } } as unknown as Engine;
  const folds = rustFolds(() => ({ fold: async () => core }) as never);
  const live = folds.live(engine, { name: "sums", version: 1 } as AnyProjection);
  const stored = { generation: 1, checkpoint: 0, revision: 0 };
  const asked = async () => {
    while (steps.length === 0) {
      await new Promise((resolve) => setImmediate(resolve));
    }
  };
  const step = async () => {
    await asked();
    steps.shift()?.();
  };
  return { pending: live.pending(stored as never, 0), asked, step };
}

test("a fold of what is pending that is dropped under way ends, and tells no rows", async () => {
  const { pending, asked, step } = stepped();
  const folding = pending.advance(10);
  await step();
  await asked();
  pending.end();
  await step();

  expect(await folding).toBeNull();
});

test("one that is dropped before it has begun folds nothing", async () => {
  const { pending } = stepped();
  const folding = pending.advance(10);
  pending.end();

  expect(await folding).toBeNull();
});
