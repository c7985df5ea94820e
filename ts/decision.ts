/**
 * Decisions: one rule over several aggregates, one commit, all or nothing.
 *
 * Every aggregate that is read is checked against its version when the commit is written, whether
 * the decision wrote to it or not.
 */
import type { AggregateRef, EventOf, StateOf } from "./aggregate.js";
import { checkDefinition, isRefusalByDefault } from "./definition.js";

/** The states of what was read, in the order of `reads`. */
export type StatesOf<Rs extends readonly AggregateRef[]> = {
  readonly [I in keyof Rs]: Rs[I] extends AggregateRef<infer A> ? StateOf<A> : never;
};

/** A list of events for each aggregate read, in the order of `reads`. */
export type EventListsOf<Rs extends readonly AggregateRef[]> = {
  readonly [I in keyof Rs]: Rs[I] extends AggregateRef<infer A> ? readonly EventOf<A>[] : never;
};

/** What {@link defineDecision} takes. */
export interface DecisionDefinition<N extends string, C, Rs extends readonly AggregateRef[]> {
  /** `[a-z][a-z0-9_]*`, unlike the name of any aggregate or decision of the store. */
  readonly name: N;
  /** Raise it when `reads` or `decide` changes. */
  readonly version: number;
  /** Which aggregates the command is about. Annotate the command here: the rest is inferred. */
  readonly reads: (command: C) => Rs;
  /** Returns a list of events for each aggregate read, `[]` where nothing happens. Throw to refuse. */
  readonly decide: NoInfer<(command: C, states: StatesOf<Rs>) => EventListsOf<Rs>>;
  /** As for an aggregate. */
  readonly isRefusal?: ((error: unknown) => boolean) | undefined;
}

/** A checked definition, frozen. */
export interface Decision<
  N extends string = string,
  C = unknown,
  Rs extends readonly AggregateRef[] = readonly AggregateRef[],
> {
  readonly kind: "decision";
  readonly name: N;
  readonly version: number;
  reads(command: C): Rs;
  decide(command: C, states: StatesOf<Rs>): EventListsOf<Rs>;
  isRefusal(error: unknown): boolean;
}

/** Any decision, whatever its types. */
export type AnyDecision = Decision;

/** What a decision reads. */
export type ReadsOf<D extends AnyDecision> = D extends Decision<string, infer _C, infer Rs> ? Rs : never;

/**
 * Defines a decision. Throws `invalid-argument` at once for a name or version that cannot be right.
 *
 * ```ts
 * const transfer = defineDecision({
 *   name: "transfer",
 *   version: 1,
 *   reads: (command: Transfer) => [account.ref(command.data.from), account.ref(command.data.to)],
 *   decide: (command, [from, to]) => [[withdrawn(command)], [deposited(command)]],
 * });
 * ```
 */
export function defineDecision<const N extends string, C, const Rs extends readonly [] | readonly AggregateRef[]>(
  definition: DecisionDefinition<N, C, Rs>,
): Decision<N, C, Rs> {
  checkDefinition("decision", definition, ["reads", "decide"]);
  return Object.freeze({
    kind: "decision",
    name: definition.name,
    version: definition.version,
    reads: definition.reads,
    decide: definition.decide,
    isRefusal: definition.isRefusal ?? isRefusalByDefault,
  });
}
