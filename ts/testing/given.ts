/**
 * given / when / then for definitions: no store, no clock, no promise.
 *
 * A definition is run as a store runs it: events and commands must be JSON, states are frozen, old
 * events go through the upcasters. `decide` is asked twice, because it must answer the same twice.
 */
import type { Aggregate, AggregateRef, AnyAggregate, EventOf } from "../aggregate.js";
import { askToDecide, eventsDecided, listsDecided } from "../decide.js";
import type { AnyDecision, Decision, ReadsOf } from "../decision.js";
import { isEverfoldError } from "../errors.js";
import type { AnyEvent, StreamEvent } from "../event.js";
import type { Projection } from "../projection.js";
import { foldRows, type KnownRows, keyEvents } from "../row-fold.js";
import { streamIdOf } from "../stream-id.js";
import { difference } from "./difference.js";
import { checkCommand, checkDecided, foldHistory, type GivenEvent, recordHistory } from "./history.js";

/** What a refusal is compared with: part of its message, or whatever the function says of what was thrown. */
export type Refusal = string | RegExp | ((thrown: unknown) => boolean);

/** An aggregate with a history. */
export interface GivenAggregate<S, C, E extends AnyEvent> {
  when(command: C): Decided<S, E>;
  /** The state that the history folds to. */
  thenState(expected: S): void;
}

/** What became of a command. */
export interface Decided<S, E extends AnyEvent> {
  /** These events, in this order; `[]` for none. `occurredAt` is compared where the decision gave one. */
  then(expected: E | readonly E[]): void;
  thenRefused(expected?: Refusal): void;
  /** The state after the events that were decided. */
  thenState(expected: S): void;
}

/** A decision and the histories of what it may read. */
export interface GivenDecision<C, Lists> {
  when(command: C): DecidedLists<Lists>;
}

/** What became of a command over several aggregates. */
export interface DecidedLists<Lists> {
  /** A list of events for each aggregate read, in the order of `reads`. */
  then(expected: Lists): void;
  thenRefused(expected?: Refusal): void;
}

/** A projection with a history. */
export interface GivenProjection<Row, E extends AnyEvent> {
  /** More events after those that were given. */
  when(events: StreamEvent<E> | readonly StreamEvent<E>[]): GivenProjection<Row, E>;
  /** All rows, by key. */
  then(expected: Readonly<Record<string, Row>>): void;
}

/** One aggregate's history, for a decision: `[account.ref("a"), [opened]]`. */
export type GivenStream<R extends AggregateRef> = R extends AggregateRef
  ? readonly [R, readonly GivenEvent<EventOf<R["aggregate"]>>[]]
  : never;

/**
 * Begins a test of one definition.
 *
 * ```ts
 * given(account, [opened]).when(withdraw(5)).thenRefused("not enough money");
 * given(transfer, [[account.ref("a"), [opened, deposited(5)]]]).when(command).then([[withdrawn(5)], [deposited(5)]]);
 * given(balances, [{ streamId: "account-a", ...deposited(5) }]).then({ "account-a": { balance: 5 } });
 * ```
 */
export function given<N extends string, S, C, E extends AnyEvent>(
  aggregate: Aggregate<N, S, C, E>,
  history: readonly GivenEvent<NoInfer<E>>[],
): GivenAggregate<S, C, E>;
export function given<N extends string, C, Rs extends readonly AggregateRef[]>(
  decision: Decision<N, C, Rs>,
  history: readonly GivenStream<NoInfer<Rs>[number]>[],
): GivenDecision<C, ReturnType<Decision<N, C, Rs>["decide"]>>;
export function given<N extends string, Row, E extends AnyEvent, I extends string>(
  projection: Projection<N, Row, E, I>,
  history: readonly StreamEvent<NoInfer<E>>[],
): GivenProjection<Row, E>;
export function given(
  definition: AnyAggregate | AnyDecision | Projection,
  history: readonly unknown[],
): GivenAggregate<unknown, unknown, AnyEvent> | GivenDecision<unknown, unknown> | GivenProjection<unknown, AnyEvent> {
  switch (definition.kind) {
    case "aggregate":
      return givenAggregate(definition, history as readonly AnyEvent[]);
    case "decision":
      return givenDecision(definition, history as readonly GivenStream<AggregateRef>[]);
    case "projection":
      return givenProjection(definition, history as readonly StreamEvent[]);
  }
}

function givenAggregate(
  aggregate: AnyAggregate,
  history: readonly AnyEvent[],
): GivenAggregate<unknown, unknown, AnyEvent> {
  const streamId = streamIdOf(aggregate.name, "given");
  const events = recordHistory(
    history.map((event) => ({ ...event, streamId })),
    [aggregate],
  );
  const state = foldHistory(aggregate, events);
  return {
    when(command) {
      const on = { decider: aggregate, streamId, commitId: "given" };
      const decided = decideTwice(aggregate, command, (checked) =>
        checkDecided(
          aggregate,
          eventsDecided(
            on,
            askToDecide(on, () => aggregate.decide(checked, state)),
          ),
        ),
      );
      return {
        ...outcome(decided, (expected: AnyEvent | readonly AnyEvent[]) => checkDecided(aggregate, [expected].flat())),
        thenState(expected) {
          const more = accepted(decided).map((event) => ({ ...event, streamId }));
          const all = recordHistory([...history.map((event) => ({ ...event, streamId })), ...more], [aggregate]);
          compare("the state", expected, foldHistory(aggregate, all));
        },
      };
    },
    thenState: (expected) => compare("the state", expected, state),
  };
}

function givenDecision(
  decision: AnyDecision,
  history: readonly GivenStream<AggregateRef>[],
): GivenDecision<unknown, ReturnType<AnyDecision["decide"]>> {
  return {
    when(command) {
      const decided = decideTwice(decision, command, (checked) => {
        const refs = decision.reads(checked);
        const states = refs.map(({ aggregate, streamId }) => {
          const events = history
            .filter(([ref]) => ref.streamId === streamId)
            .flatMap(([, events]) => events.map((event) => ({ ...event, streamId })));
          return foldHistory(aggregate, recordHistory(events, [aggregate]));
        });
        const on = { decider: decision, commitId: "given" };
        const lists = listsDecided(
          on,
          askToDecide(on, () => decision.decide(checked, states)),
          refs,
        );
        return checkLists(refs, lists);
      });
      return outcome(decided, (expected) => checkLists(decision.reads(checkCommand(command)), expected));
    },
  };
}

function checkLists(
  refs: ReadsOf<AnyDecision>,
  lists: readonly (readonly AnyEvent[])[],
): readonly (readonly AnyEvent[])[] {
  if (!Array.isArray(lists) || lists.length !== refs.length) {
    throw new Error(`a list of events for each of the ${refs.length} aggregates read is needed`);
  }
  return refs.map(({ aggregate }, index) => checkDecided(aggregate, lists[index] ?? []));
}

/** A projection is given no aggregates but those that it is from. */
const aloneHere = { aggregateOf: () => undefined };

function givenProjection(projection: Projection, history: readonly StreamEvent[]): GivenProjection<unknown, AnyEvent> {
  return {
    when: (events) => givenProjection(projection, [...history, ...[events].flat()]),
    // biome-ignore lint/suspicious/noThenProperty: the word of given/when/then; see `refuseAwait`.
    then(expected) {
      refuseAwait(expected);
      const { from = [], events: types } = projection;
      const events = recordHistory(history, from).filter(({ type }) => types === undefined || types.includes(type));
      const rows: KnownRows = new Map();
      foldRows(projection, events, keyEvents(aloneHere, projection, events), rows, []);
      const found = [...rows.values()].filter(({ row }) => row !== undefined);
      compare("the rows", expected, Object.fromEntries(found.map(({ key, row }) => [key, row])));
    },
  };
}

/** What `decide` answered, or what it threw. */
type Answer<T> = { readonly events: T } | Refused;

interface Refused {
  readonly thrown: unknown;
  /** As a store says it. */
  readonly message: string;
}

function decideTwice<T>(
  definition: AnyAggregate | AnyDecision,
  command: unknown,
  decide: (checked: unknown) => T,
): Answer<T> {
  const ask = (): Answer<T> => {
    const checked = checkCommand(command);
    try {
      return { events: decide(checked) };
    } catch (thrown) {
      if (!isEverfoldError(thrown, "refused")) {
        throw new Error(`decide of "${definition.name}" failed: ${String(thrown)}`, { cause: thrown });
      }
      return { thrown: thrown.cause, message: thrown.message };
    }
  };
  const first = ask();
  const second = ask();
  const change = "events" in first && "events" in second ? difference(first.events, second.events) : undefined;
  if (change !== undefined || "events" in first !== "events" in second) {
    throw new Error(
      `decide of "${definition.name}" answered differently the second time: ` +
        `it must not read clock or randomness\n\n${change ?? ""}`,
    );
  }
  return first;
}

function outcome<L, T>(
  decided: Answer<T>,
  check: (expected: L) => T,
): { then(expected: L): void; thenRefused(expected?: Refusal): void } {
  return {
    // biome-ignore lint/suspicious/noThenProperty: the word of given/when/then; see `refuseAwait`.
    then(expected) {
      refuseAwait(expected);
      compare("the events", check(expected), accepted(decided));
    },
    thenRefused(expected) {
      if ("events" in decided) {
        throw new Error(`expected a refusal, but decide returned\n${JSON.stringify(decided.events, null, 2)}`);
      }
      if (expected !== undefined && !matches(decided, expected)) {
        throw new Error(`refused with ${shown(decided)}, expected ${String(expected)}`, {
          cause: decided.thrown,
        });
      }
    },
  };
}

function accepted<T>(decided: Answer<T>): T {
  if ("thrown" in decided) {
    throw new Error(`expected events, but decide refused: ${shown(decided)}`, { cause: decided.thrown });
  }
  return decided.events;
}

function shown({ thrown, message }: Refused): string {
  return thrown instanceof Error ? String(thrown) : message;
}

function matches({ thrown, message }: Refused, expected: Refusal): boolean {
  if (typeof expected === "function") {
    return expected(thrown);
  }
  return typeof expected === "string" ? message.includes(expected) : expected.test(message);
}

function compare(what: string, expected: unknown, actual: unknown): void {
  const found = difference(expected, actual);
  if (found !== undefined) {
    throw new Error(`${what} are not as expected\n\n${found}`.replace("the state are", "the state is"));
  }
}

/** `await given(…).when(…)` would call `then` with two functions and wait for ever. */
function refuseAwait(expected: unknown): void {
  if (typeof expected === "function") {
    throw new Error("say what you expect: .then([…]); there is nothing to await");
  }
}
