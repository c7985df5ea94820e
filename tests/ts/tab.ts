/**
 * Tabs: engines of their own on one database in memory, as if each were in a tab of its own. They
 * hear nothing of each other, which nothing correct depends on.
 */
import { afterEach } from "vitest";
import type { AnyAggregate } from "../../ts/aggregate.js";
import type { Core } from "../../ts/core.js";
import type { AnyDecision } from "../../ts/decision.js";
import { type Engine, startEngine } from "../../ts/engine.js";
import { realEnvironment } from "../../ts/environment.js";
import type { AnyProjection } from "../../ts/projection.js";
import { storeHandle } from "../../ts/store.js";
import { fakeClock, seededIds } from "../../ts/testing/clock.js";
import type { Problem, Store } from "../../ts/types.js";
import { publishedRuntime } from "../../ts/wasm.js";
import { wasm } from "./wasm-files.js";

const open: (() => Promise<void>)[] = [];
let tabs = 0;
let databases = 0;

afterEach(async () => {
  for (const close of open.splice(0)) {
    await close();
  }
});

/** A database that nobody else has. */
export const newDatabase = () => `tabs-${++databases}`;

/** Opens a tab on a database; closing it leaves the database as it is, as a reload does. */
export async function tab<
  const As extends readonly AnyAggregate[] = readonly [],
  const Ds extends readonly AnyDecision[] = readonly [],
  const Ps extends readonly AnyProjection[] = readonly [],
>(name: string, definitions: { aggregates?: As; decisions?: Ds; projections?: Ps } = {}) {
  const { aggregates = [], decisions = [], projections = [] } = definitions;
  const problems: Problem[] = [];
  const clock = fakeClock();
  let core: Core | undefined;
  const engine: Engine = await startEngine({
    name,
    storage: "memory",
    durability: "strict",
    runtime: publishedRuntime,
    wasm: () => wasm,
    environment: {
      ...realEnvironment,
      now: clock.now,
      newId: seededIds(++tabs),
      coreOpened(opened) {
        core = opened;
      },
    },
  });
  const onProblem = (problem: Problem) => void problems.push(problem);
  const handle = storeHandle(engine, { aggregates, decisions, projections, onProblem }, () => engine.close());
  open.push(() => handle.close());
  return { store: handle as unknown as Store<As, Ds, Ps>, engine, problems, clock, core: core as Core };
}

/** Waits until it is so; what is put off for idle time has no other end. */
export async function until(isSo: () => boolean | Promise<boolean>): Promise<void> {
  for (let attempt = 0; !(await isSo()); attempt += 1) {
    if (attempt === 400) {
      throw new Error("it did not become so");
    }
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}
