/**
 * Projections: rules that keep rows by key, folded from events of any stream.
 *
 * Rows are disposable. They belong to one version of the projection; a new version builds its own
 * beside the old ones.
 */
import type { AnyAggregate, EventOf } from "./aggregate.js";
import type { IndexValue } from "./core/rows.js";
import { checkDefinition, definitionError } from "./definition.js";
import type { AnyEvent, EventOfType, RecordedEvent } from "./event.js";

/** Says under which value a row is found; `undefined` leaves it out of the index. */
export type IndexFunction<Row> = { bivariant(row: Row): IndexValue | undefined }["bivariant"];

/** The events that a projection sees. */
export type ProjectedEvent<As extends readonly AnyAggregate[], T extends string> = EventOfType<EventOf<As[number]>, T>;

/** What {@link defineProjection} takes. `evolve` must come before `indexes`, so that `row` is inferred. */
export interface ProjectionDefinition<
  N extends string,
  As extends readonly AnyAggregate[],
  T extends EventOf<As[number]>["type"],
  Row,
  I extends string,
> {
  /** `[a-z][a-z0-9_]*`. */
  readonly name: N;
  /** Raise it when anything below changes: rows are then built anew, by themselves. */
  readonly version: number;
  /** The aggregates whose events are wanted; every stream if left out. */
  readonly from?: readonly [...As] | undefined;
  /** The event types that are wanted; every type if left out. */
  readonly events?: readonly T[] | undefined;
  /** Which rows an event is about; null for none. A key that comes twice counts once. */
  readonly key: (event: RecordedEvent<ProjectedEvent<As, T>>) => string | readonly string[] | null;
  /**
   * Called once for each key. Annotate the row here. It may change and return the row that it is
   * given, readers only ever get copies; `undefined` deletes the row. Rows are JSON.
   */
  readonly evolve: (row: Row | undefined, event: RecordedEvent<ProjectedEvent<As, T>>, key: string) => Row | undefined;
  /**
   * `"stream"` promises that `key` returns only keys that belong to the event's own stream, so that no two streams
   * share a row: rows can then be rebuilt by stream.
   */
  readonly partition?: "stream" | undefined;
  /**
   * Secondary indexes by name, for `list({ index })`. A string, a finite number, or `undefined` for not indexed. With other
   * names, or in another order, under the same `version` the stored rows are left alone: rows are folded in memory, and
   * `onProblem` says so, until `store.rebuild(projection)`. What a function returns is not compared: raise `version`.
   */
  readonly indexes?: { readonly [K in I]: IndexFunction<NoInfer<Row>> } | undefined;
}

/** A checked definition, frozen. */
export interface Projection<
  N extends string = string,
  Row = unknown,
  E extends AnyEvent = AnyEvent,
  I extends string = string,
> {
  readonly kind: "projection";
  readonly name: N;
  readonly version: number;
  readonly from: readonly AnyAggregate[] | undefined;
  readonly events: readonly string[] | undefined;
  readonly partition: "stream" | undefined;
  /** Index functions by name; an index's number is its place here. */
  readonly indexes: { readonly [K in I]: IndexFunction<Row> };
  key(event: RecordedEvent<E>): string | readonly string[] | null;
  evolve(row: Row | undefined, event: RecordedEvent<E>, key: string): Row | undefined;
}

/** Any projection, whatever its types. */
export type AnyProjection = Projection;

/** The rows that a projection keeps. */
export type RowOf<P extends AnyProjection> = P extends Projection<string, infer Row, infer _E, infer _I> ? Row : never;

/** The names of a projection's indexes. */
export type IndexOf<P extends AnyProjection> = P extends Projection<string, infer _Row, infer _E, infer I> ? I : never;

/**
 * Defines a projection. Throws `invalid-argument` at once for a name, version, list or index that
 * cannot be right.
 *
 * ```ts
 * const balances = defineProjection({
 *   name: "balances",
 *   version: 1,
 *   from: [account],
 *   events: ["deposited"],
 *   key: (event) => event.streamId,
 *   evolve: (row: Balance | undefined, event) => ({ balance: (row?.balance ?? 0) + event.data.amount }),
 *   indexes: { balance: (row) => row.balance },
 * });
 * ```
 */
export function defineProjection<
  const N extends string,
  const As extends readonly AnyAggregate[] = readonly AnyAggregate[],
  const T extends EventOf<As[number]>["type"] = EventOf<As[number]>["type"],
  Row = unknown,
  I extends string = never,
>(definition: ProjectionDefinition<N, As, T, Row, I>): Projection<N, Row, ProjectedEvent<As, T>, I> {
  checkDefinition("projection", definition, ["key", "evolve"]);
  const { name, version, from, events, partition } = definition;
  const fail = (property: string, problem: string) => definitionError("projection", name, property, problem);
  checkList(
    from,
    (entry) => entry?.kind === "aggregate" && entry.name,
    (problem) => fail("from", problem),
    "aggregate",
  );
  checkList(
    events,
    (entry) => typeof entry === "string" && entry,
    (problem) => fail("events", problem),
    "event type",
  );
  if (partition !== undefined && partition !== "stream") {
    throw fail("partition", `is ${String(partition)}, must be "stream" or left out`);
  }
  const indexes = { ...definition.indexes } as { readonly [K in I]: IndexFunction<Row> };
  for (const [index, value] of Object.entries(indexes)) {
    if (typeof value !== "function") {
      throw fail(`indexes["${index}"]`, "must be a function");
    }
  }
  return Object.freeze({
    kind: "projection",
    name,
    version,
    from: from && Object.freeze([...from]),
    events: events && Object.freeze([...events]),
    partition,
    indexes: Object.freeze(indexes),
    key: definition.key,
    evolve: definition.evolve,
  });
}

function checkList<T>(
  list: readonly T[] | undefined,
  nameOf: (entry: T) => string | false,
  fail: (problem: string) => Error,
  what: string,
): void {
  if (list === undefined) {
    return;
  }
  if (!Array.isArray(list) || list.length === 0) {
    throw fail("must be a list that is not empty; leave it out for all");
  }
  const seen = new Set<string>();
  for (const entry of list as readonly T[]) {
    const name = nameOf(entry);
    if (name === false || name === "") {
      throw fail(`holds something that is no ${what}`);
    }
    if (seen.has(name)) {
      throw fail(`holds "${name}" twice`);
    }
    seen.add(name);
  }
}
