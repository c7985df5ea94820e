/**
 * Aggregates: a decider with a name.
 *
 * A definition is plain data and pure functions; it touches no store. Everything that can be checked
 * without events is checked here, so that a wrong definition fails where it is written.
 */
import { checkDefinition, definitionError, isCount, isRefusalByDefault } from "./definition.js";
import type { AnyEvent } from "./event.js";
import type { StandardSchema } from "./standard-schema.js";
import { streamIdOf } from "./stream-id.js";

/** Turns `data` of one schema version into that of the next. Annotate the parameter with the old shape. */
export type Upcaster = { bivariant(data: unknown): unknown }["bivariant"];

/** What {@link defineAggregate} takes. `decide` must come before `evolve`, so that `event` is inferred. */
export interface AggregateDefinition<N extends string, S, C, E extends AnyEvent> {
  /** `[a-z][a-z0-9_]*`; the stream of id X is `name-X`. Never change it once events are stored. */
  readonly name: N;
  /** Of `evolve` and of the state's shape: raise it when either changes. Snapshots of other versions are ignored. */
  readonly version: number;
  /** The state before the first event. */
  readonly initialState: () => S;
  /**
   * Says what follows from a command: events, or `[]` for nothing to do. Throw to refuse. It may run
   * more than once for one command, so it reads neither clock nor randomness: put those into the command.
   */
  readonly decide: (command: C, state: S) => E | readonly E[];
  /** Pure and total: it refuses nothing and changes neither argument. States are frozen. */
  readonly evolve: (state: S, event: E) => S;
  /** A snapshot each so many events; 100. */
  readonly snapshotEvery?: number | undefined;
  /** How many snapshots of a stream are kept; 2. */
  readonly keepSnapshots?: number | undefined;
  /** Written with new events; 1 where a type is not listed. */
  readonly schemaVersions?: { readonly [T in E["type"]]?: number } | undefined;
  /** By event type, then by the version that it starts from: `{ 1: (data) => … }` leads from 1 to 2. Chained at read. */
  readonly upcasters?: { readonly [T in E["type"]]?: { readonly [from: number]: Upcaster } } | undefined;
  /** Validators of `data` by event type, asked before an append. They check; what they return is not stored. */
  readonly schemas?: { readonly [T in E["type"]]?: StandardSchema } | undefined;
  /** Which throws of `decide` are refusals. By default all but TypeError, ReferenceError, RangeError and SyntaxError. */
  readonly isRefusal?: ((error: unknown) => boolean) | undefined;
}

/** A checked definition, frozen, its defaults filled in. Its functions may be called directly. */
export interface Aggregate<N extends string = string, S = unknown, C = unknown, E extends AnyEvent = AnyEvent> {
  readonly kind: "aggregate";
  readonly name: N;
  readonly version: number;
  readonly snapshotEvery: number;
  readonly keepSnapshots: number;
  readonly schemaVersions: Readonly<Record<string, number>>;
  readonly upcasters: Readonly<Record<string, { readonly [from: number]: Upcaster }>>;
  readonly schemas: Readonly<Record<string, StandardSchema>>;
  initialState(): S;
  decide(command: C, state: S): E | readonly E[];
  evolve(state: S, event: E): S;
  isRefusal(error: unknown): boolean;
  /** Names one aggregate, for the `reads` of a decision. */
  ref(id: string): AggregateRef<Aggregate<N, S, C, E>>;
}

/** Any aggregate, whatever its types. */
export type AnyAggregate = Aggregate;

/** One aggregate by its id. */
export interface AggregateRef<A extends AnyAggregate = AnyAggregate> {
  readonly aggregate: A;
  readonly id: string;
  readonly streamId: string;
}

/** The state that an aggregate folds to. */
export type StateOf<A extends AnyAggregate> = A extends Aggregate<string, infer S, infer _C, infer _E> ? S : never;

/** The union of an aggregate's events. */
export type EventOf<A extends AnyAggregate> = A extends Aggregate<string, infer _S, infer _C, infer E> ? E : never;

/**
 * Defines an aggregate. Throws `invalid-argument` at once for a name, version, number or upcaster
 * chain that cannot be right.
 *
 * ```ts
 * const account = defineAggregate({
 *   name: "account",
 *   version: 1,
 *   initialState: () => ({ balance: 0 }),
 *   decide: (command: Deposit, state): AccountEvent => ({ type: "deposited", data: command.data }),
 *   evolve: (state, event) => ({ balance: state.balance + event.data.amount }),
 * });
 * ```
 */
export function defineAggregate<const N extends string, S, C, E extends AnyEvent>(
  definition: AggregateDefinition<N, S, C, E>,
): Aggregate<N, S, C, E> {
  checkDefinition("aggregate", definition, ["initialState", "decide", "evolve"]);
  const { name, version, snapshotEvery = 100, keepSnapshots = 2 } = definition;
  const fail = (property: string, problem: string) => definitionError("aggregate", name, property, problem);
  for (const [property, count] of Object.entries({ snapshotEvery, keepSnapshots })) {
    if (!isCount(count)) {
      throw fail(property, `is ${String(count)}, must be a whole number from 1`);
    }
  }
  const schemaVersions = byName<number>(definition.schemaVersions);
  for (const [type, schemaVersion] of Object.entries(schemaVersions)) {
    if (!isCount(schemaVersion)) {
      throw fail(`schemaVersions["${type}"]`, `is ${String(schemaVersion)}, must be a whole number from 1`);
    }
  }
  const upcasters = byName<{ readonly [from: number]: Upcaster }>(definition.upcasters);
  for (const [type, chain] of Object.entries(upcasters)) {
    const problem = chainProblem(chain, schemaVersions[type] ?? 1);
    if (problem !== undefined) {
      throw fail(`upcasters["${type}"]`, problem);
    }
  }
  const schemas = byName<StandardSchema>(definition.schemas);
  for (const [type, schema] of Object.entries(schemas)) {
    if (typeof schema?.["~standard"]?.validate !== "function") {
      throw fail(`schemas["${type}"]`, "is not a Standard Schema validator");
    }
  }
  const aggregate: Aggregate<N, S, C, E> = Object.freeze({
    kind: "aggregate",
    name,
    version,
    snapshotEvery,
    keepSnapshots,
    schemaVersions,
    upcasters,
    schemas,
    initialState: definition.initialState,
    decide: definition.decide,
    evolve: definition.evolve,
    isRefusal: definition.isRefusal ?? isRefusalByDefault,
    ref: (id: string) => Object.freeze({ aggregate, id, streamId: streamIdOf(name, id) }),
  });
  return aggregate;
}

/** A copy of what is given, without a prototype, so that an event type `constructor` finds nothing of Object's. */
function byName<T>(entries: { readonly [name: string]: T | undefined } | undefined): Readonly<Record<string, T>> {
  const given = Object.entries(entries ?? {}).filter(([, entry]) => entry !== undefined);
  return Object.freeze(Object.assign(Object.create(null) as Record<string, T>, Object.fromEntries(given)));
}

/** A chain leads from some version to the current one without a gap; it need not begin at 1. */
function chainProblem(chain: { readonly [from: number]: Upcaster }, current: number): string | undefined {
  const steps = typeof chain === "object" && chain !== null ? Object.keys(chain).map(Number) : [Number.NaN];
  const first = Math.min(...steps);
  for (const step of steps) {
    if (!isCount(step) || typeof chain[step] !== "function") {
      return "must be functions by the schema version that they start from";
    }
    if (step >= current) {
      return `leads from ${step} to ${step + 1}, but schemaVersions says ${current}: raise it to ${step + 1}`;
    }
  }
  for (let step = first; step < current; step++) {
    if (chain[step] === undefined) {
      return `has no step from ${step} to ${step + 1}`;
    }
  }
  return undefined;
}
