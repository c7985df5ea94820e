/**
 * Definitions written in Rust, named here and found in the engine that a store is opened with.
 *
 * What these functions return says only a name; opened with `engine`, a store makes of it a definition
 * whose functions are those of the module. Commands, states and rows cross as JSON, events of a stream or of
 * the log that are folded there do not cross at all.
 */
import { type Aggregate, type AnyAggregate, defineAggregate } from "./aggregate.js";
import type { CoreDecided, CoreDefinitionList, CoreDefinitions, CoreFolded } from "./core/definitions.js";
import type { IndexValue } from "./core/rows.js";
import type { Core } from "./core.js";
import { NotDecided } from "./decide.js";
import { bind } from "./definition.js";
import { EverfoldError, errorFromCore, invalidArgument, isEverfoldError } from "./errors.js";
import type { AnyEvent } from "./event.js";
import { ownFolds } from "./folds.js";
import { type AnyProjection, defineProjection, type Projection } from "./projection.js";
import { rustFolds } from "./rust-fold.js";
import { type FoldsStreams, loadsItself, stateOf, textOfState } from "./states.js";
import type { Clock } from "./types.js";
import type { WasmRuntime } from "./wasm.js";

/**
 * An aggregate whose decider is written in Rust; its version and how often snapshots are kept are said there.
 * A refusal is `refused`, with what the decider refused with, as JSON, as its cause.
 *
 * ```ts
 * const workflow = rustAggregate<Workflow, WorkflowCommand, WorkflowEvent>("workflow");
 * const store = await openStore({ name: "app", engine: () => import("./pkg"), aggregates: [workflow] });
 * ```
 */
export function rustAggregate<S, C, E extends AnyEvent>(name: string): Aggregate<string, S, C, E> {
  const boundTo = once((runtime) => aggregateOf(name, runtime));
  const unbound = () => {
    throw invalidArgument("engine", `aggregate ${name} is written in Rust: open the store with its engine`);
  };
  const functions = { initialState: unbound, decide: unbound, evolve: unbound };
  const { ref, ...handle } = defineAggregate<string, S, C, E>({ name, version: 1, ...functions });
  const self: Aggregate<string, S, C, E> = Object.freeze({
    ...handle,
    ref: (id: string) => Object.freeze({ ...ref(id), aggregate: self }),
    [bind]: boundTo,
  });
  return self;
}

/**
 * A projection written in Rust; its version, events and indexes are said there. It folds without entering
 * JavaScript; a row does when it is read.
 *
 * ```ts
 * const executions = rustProjection<ExecutionRow>("executions");
 * ```
 */
export function rustProjection<Row, I extends string = string>(name: string): Projection<string, Row, AnyEvent, I> {
  const boundTo = once((runtime) => projectionOf(name, runtime));
  const unbound = () => {
    throw invalidArgument("engine", `projection ${name} is written in Rust: open the store with its engine`);
  };
  const handle = defineProjection({ name, version: 1, key: unbound, evolve: unbound });
  return Object.freeze({ ...handle, [bind]: boundTo }) as unknown as Projection<string, Row, AnyEvent, I>;
}

/** One bound definition for each engine: stores that share an engine share what they keep for it. */
function once<T>(make: (runtime: WasmRuntime) => T): (runtime: WasmRuntime) => T {
  const made = new WeakMap<WasmRuntime, T>();
  return (runtime) => {
    let found = made.get(runtime);
    if (found === undefined) {
      found = make(runtime);
      made.set(runtime, found);
    }
    return found;
  };
}

function aggregateOf(name: string, runtime: WasmRuntime): AnyAggregate & FoldsStreams {
  const { version, snapshotEvery } = described("aggregates", name, runtime);
  const state = (use: (definitions: CoreDefinitions) => string) => stateOf(textOf(runtime, use));
  const aggregate = defineAggregate<string, unknown, unknown, AnyEvent>({
    name,
    version,
    snapshotEvery,
    initialState: () => state((rust) => rust.initialState(name)),
    decide(command, before) {
      let text: string;
      try {
        text = textOf(runtime, (rust) => rust.decide(name, JSON.stringify(command), textOfState(before)));
      } catch (error) {
        throw new NotDecided(errorFromCore(error));
      }
      const decided = JSON.parse(text) as CoreDecided;
      if ("refused" in decided) {
        throw decided.refused;
      }
      const rounded = roundedIn(text);
      if (rounded !== undefined) {
        const message = `${name}: an event has ${rounded}, which JavaScript would round: make it a text`;
        throw new NotDecided(new EverfoldError("decide-failed", message, { definition: name }));
      }
      return decided.events as readonly AnyEvent[];
    },
    evolve: (before, event) => state((rust) => rust.evolve(name, textOfState(before), JSON.stringify(event))),
    isRefusal: () => true,
  });
  async function load(core: Core, snapshots: number, streamId: string, atVersion: number, at: number, clock: Clock) {
    const [folded, text] = await runtime.now((module) =>
      definitionsOf(module).load(core, name, snapshots, streamId, atVersion, at, clock),
    );
    return { ...(JSON.parse(folded) as CoreFolded), state: stateOf(text) };
  }
  return Object.freeze({ ...aggregate, [loadsItself]: load });
}

/** The first whole number of a JSON text that is another one in JavaScript. */
function roundedIn(text: string): string | undefined {
  if (!/\d{16}/.test(text)) {
    return undefined;
  }
  const numbers = text.replace(/"(?:[^"\\]|\\.)*"/g, "").match(/(?<![\d.])-?\d{16,}(?![\d.eE])/g);
  return numbers?.find((number) => BigInt(number) !== BigInt(Number(number)));
}

function projectionOf(name: string, runtime: WasmRuntime): AnyProjection {
  const { version, aggregates, events, indexes, partition } = described("projections", name, runtime);
  const wholeNumber = indexes.find((index) => /^\d+$/.test(index));
  if (wholeNumber !== undefined) {
    // They are numbered in the order of an object's keys, and that has such names first.
    throw invalidArgument(
      "engine",
      `projection ${name} has an index named ${wholeNumber}: give it a name that is no number`,
    );
  }
  const never = () => {
    throw new TypeError(`projection ${name} is folded in Rust`);
  };
  const projection = defineProjection({
    name,
    version,
    partition: partition === "stream" ? "stream" : undefined,
    key: never,
    evolve: never,
    indexes: Object.fromEntries(
      indexes.map((index, number) => [
        index,
        (row: unknown) =>
          answer<IndexValue | null>(runtime, (rust) => rust.indexValue(name, number, JSON.stringify(row))) ?? undefined,
      ]),
    ),
  });
  return Object.freeze({
    ...projection,
    // By their names alone: nothing of these definitions is called.
    ...(events.length > 0 && { events }),
    ...(aggregates.length > 0 && { from: aggregates.map((aggregate) => ({ name: aggregate })) }),
    [ownFolds]: rustFolds(() => runtime.now(definitionsOf)),
  }) as unknown as AnyProjection;
}

function described<K extends "aggregates" | "projections">(
  kind: K,
  name: string,
  runtime: WasmRuntime,
): CoreDefinitionList[K][number] {
  const list = answer<CoreDefinitionList>(runtime, (rust) => rust.describe());
  const found = list[kind].find((definition) => definition.name === name);
  if (found === undefined) {
    const names = list[kind].map((definition) => definition.name).join(", ");
    throw invalidArgument(
      kind,
      `the engine that the store is opened with has none of its ${kind} named ${name}; it has ${names || "none"}`,
    );
  }
  return found;
}

function answer<T>(runtime: WasmRuntime, use: (definitions: CoreDefinitions) => string): T {
  return JSON.parse(textOf(runtime, use)) as T;
}

function textOf(runtime: WasmRuntime, use: (definitions: CoreDefinitions) => string): string {
  try {
    return runtime.now((module) => use(definitionsOf(module)));
  } catch (error) {
    throw isEverfoldError(error) ? error : errorFromCore(error);
  }
}

function definitionsOf({ Definitions }: { readonly Definitions?: CoreDefinitions }): CoreDefinitions {
  if (Definitions === undefined) {
    throw invalidArgument("engine", "definitions written in Rust need the engine that has them: openStore({ engine })");
  }
  return Definitions;
}
