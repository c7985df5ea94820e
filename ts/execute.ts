/**
 * `execute`: load, decide, append, for an aggregate or for a decision over several.
 *
 * Both are one thing: aggregates that are read, a function from their states to a list of events for
 * each, and one commit that is checked against the version of all of them. Without an expected version
 * a lost race means to decide again on what has happened.
 */
import type { AggregateRef, AnyAggregate } from "./aggregate.js";
import { canonicalText } from "./canonical.js";
import { checkCommitOptions } from "./commit-options.js";
import type { CoreNewCommit, CoreNewEvent } from "./core/writing.js";
import { askToDecide, type DecidedOn, eventsDecided, listsDecided } from "./decide.js";
import type { AnyDecision } from "./decision.js";
import type { Engine } from "./engine.js";
import { EverfoldError, invalidArgument } from "./errors.js";
import type { AnyEvent, RecordedEvent } from "./event.js";
import type { Advance, Appended, Job, PreparedCommit } from "./group-commit.js";
import { asStored, deepFreeze } from "./json.js";
import { type EventDefaults, newEvent } from "./new-event.js";
import { confirmable, eventsOfCommit, eventsWritten, lastPosition } from "./receipt.js";
import type { Slot, States } from "./states.js";
import { checkExpectedVersion, streamIdOf } from "./stream-id.js";
import type { CommitReceipt, ExecuteOptions, ExpectedVersion, Loaded, StreamOutcome } from "./types.js";
import { upcastEvent } from "./upcast.js";

/** What a command is decided by. */
export interface Decider {
  readonly definition: { readonly name: string; readonly version: number };
  readonly reads: readonly { readonly states: States; readonly streamId: string }[];
  decide(command: unknown, states: readonly unknown[], commitId: string): readonly (readonly AnyEvent[])[];
}

/** Decides by an aggregate, on one stream. */
export function aggregateDecider(states: States, streamId: string): Decider {
  const { aggregate } = states;
  return {
    definition: aggregate,
    reads: [{ states, streamId }],
    decide: (command, [state], commitId) => {
      const on: DecidedOn = { decider: aggregate, streamId, commitId };
      return [
        eventsDecided(
          on,
          askToDecide(on, () => aggregate.decide(command, state)),
        ),
      ];
    },
  };
}

/** Decides by a decision, on what it reads for a command. Throws `decide-failed`. */
export function decisionDecider(
  decision: AnyDecision,
  statesOf: (aggregate: AnyAggregate) => States,
  command: unknown,
): Decider {
  const refs = readsOf(decision, command);
  return {
    definition: decision,
    reads: refs.map(({ aggregate, streamId }) => ({ states: statesOf(aggregate), streamId })),
    decide: (checked, states, commitId) => {
      const on: DecidedOn = { decider: decision, commitId };
      return listsDecided(
        on,
        askToDecide(on, () => decision.decide(checked, states as never)),
        refs,
      );
    },
  };
}

/** A commit with what became of each aggregate that was read. */
interface Decided extends CommitReceipt {
  readonly streams: readonly StreamOutcome[];
}

/** Runs a command on one aggregate. */
export async function executeOn(engine: Engine, states: States, id: string, command: unknown, options: ExecuteOptions) {
  const decider = aggregateDecider(states, streamIdOf(states.aggregate.name, id));
  const receiptOf = ({ streams: [outcome], ...receipt }: Decided) => ({ ...receipt, ...(outcome as StreamOutcome) });
  const { decided, content } = await run(engine, decider, { id }, command, options);
  return confirmable(engine, receiptOf(decided), content, async (outcome) =>
    receiptOf(await firstReceipt(engine, decider.reads, outcome)),
  );
}

/** Runs a command on the aggregates that a decision reads. */
export async function executeDecision(
  engine: Engine,
  decision: AnyDecision,
  statesOf: (aggregate: AnyAggregate) => States,
  command: unknown,
  options: ExecuteOptions,
) {
  if (options.expectedVersion !== undefined) {
    throw invalidArgument("expectedVersion", "a decision checks the versions of all that it reads; leave it out");
  }
  const stored = asStored(command, "invalid-argument", "command");
  const decider = decisionDecider(decision, statesOf, stored);
  const { decided, content } = await run(engine, decider, {}, stored, options);
  return confirmable(engine, decided, content, (outcome) => firstReceipt(engine, decider.reads, outcome));
}

function readsOf(decision: AnyDecision, command: unknown): readonly AggregateRef[] {
  let refs: unknown;
  try {
    refs = decision.reads(command);
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new EverfoldError(
      "decide-failed",
      `${decision.name}: reads: ${reason}`,
      { definition: decision.name },
      { cause },
    );
  }
  if (refs instanceof Promise) {
    // Nobody else will look at how it ends.
    refs.catch(() => undefined);
  }
  if (!Array.isArray(refs) || refs.length === 0 || !refs.every((ref) => typeof ref?.streamId === "string")) {
    throw new EverfoldError("decide-failed", `${decision.name}: reads must return a list of aggregate.ref(id)`, {
      definition: decision.name,
    });
  }
  return refs as readonly AggregateRef[];
}

async function run(
  engine: Engine,
  decider: Decider,
  target: { readonly id?: string },
  command: unknown,
  options: ExecuteOptions,
): Promise<{ readonly decided: Decided; readonly content: string }> {
  const { commitId, known, occurredAt, metadata, ids, given } = checkCommitOptions(options, engine.environment.newId);
  const mode = checkMode(options.mode);
  const expected = options.expectedVersion === undefined ? "any" : checkExpectedVersion(options.expectedVersion);
  const { name, version } = decider.definition;
  // A copy: it may be decided on again, whatever the caller does with the object meanwhile.
  const text = canonicalText(asStored(command, "invalid-argument", "command"));
  const ownCommand: unknown = deepFreeze(JSON.parse(text));
  const content = contentOf(name, target, text, {
    ...given,
    mode: options.mode,
    expectedVersion: options.expectedVersion,
  });
  const { reads } = decider;

  const decided = await new Promise<Decided>((resolve, reject) => {
    let commit: CoreNewCommit | undefined;
    let before: readonly { readonly state: unknown; readonly version: number }[] = [];
    let advances: readonly Advance[] = [];

    function outcomes(): StreamOutcome[] {
      return reads.map(({ streamId }, index) => {
        const after = advances.find((advance) => advance.slot.streamId === streamId)?.to ?? before[index];
        return { streamId, version: after?.version ?? 0, state: after?.state };
      });
    }

    const job: Job = {
      commitId,
      known,
      content,
      reads,
      prepare(slots) {
        before = slots.map(({ tip, state, version }) => tip ?? { state, version });
        advances = [];
        const actual = before[0]?.version ?? 0;
        if (!isMet(expected, actual)) {
          throw conflictError(reads[0]?.streamId ?? "", expected, actual);
        }
        const now = engine.environment.now();
        const lists = decider.decide(
          ownCommand,
          before.map(({ state }) => state),
          commitId,
        );
        const defaults = { occurredAt: occurredAt ?? now, metadata, salt: engine.salt };
        const streams = streamsDecided(reads, lists, defaults);
        if (streams.length === 0) {
          return "nothing";
        }
        const written = streams.map((stream) => {
          const { place } = stream;
          return { ...stream, slot: slots[place] as Slot, from: before[place] as Loaded<unknown> };
        });
        advances = written.map(({ states, slot, from, events }) => ({
          states,
          slot,
          from: from.version,
          to: { state: states.evolve(from.state, events), version: from.version + events.length },
        }));
        commit = {
          commitId,
          known,
          recordedAt: now,
          mode,
          command: ownCommand,
          definition: { name, version },
          content,
          reads: readsOnly(reads, before, streams),
          ...ids,
          ...engine.author,
          streams: written.map(({ streamId, from, events }) => ({
            streamId,
            expectedVersion: from.version,
            events,
          })),
        };
        const events = streams.reduce((sum, stream) => sum + stream.events.length, 0);
        return { text: JSON.stringify(commit), events, advances } satisfies PreparedCommit;
      },
      conflict: ({ streamId, actual }) =>
        isMet(expected, actual) ? undefined : conflictError(streamId, expected, actual),
      appended(outcome) {
        if (outcome.status === "appended" && commit !== undefined) {
          const events = eventsWritten(engine, commit, outcome);
          resolve({ commitId, events, position: lastPosition(outcome), streams: outcomes() });
        } else {
          firstReceipt(engine, reads, outcome).then(resolve, reject);
        }
      },
      nothing: () => resolve({ commitId, events: [], position: engine.log.position(), streams: outcomes() }),
      fail: reject,
    };
    engine.commits.submit(job);
  });
  return { decided, content };
}

/** The events for each stream that is written; an aggregate that is read twice is written once. */
export function streamsDecided(
  reads: Decider["reads"],
  lists: readonly (readonly AnyEvent[])[],
  defaults: EventDefaults,
) {
  const streams: {
    readonly states: States;
    readonly streamId: string;
    /** Of the first read of it. */
    readonly place: number;
    readonly events: CoreNewEvent[];
  }[] = [];
  for (const [place, list] of lists.entries()) {
    const read = reads[place];
    if (read === undefined || list.length === 0) {
      continue;
    }
    let stream = streams.find(({ streamId }) => streamId === read.streamId);
    if (stream === undefined) {
      stream = { ...read, place, events: [] };
      streams.push(stream);
    }
    for (const event of list) {
      stream.events.push(newEvent(event, read.states.aggregate, defaults, `events[${stream.events.length}]`));
    }
  }
  return streams;
}

/** What was read and is not written, with the versions that were decided on. */
function readsOnly(
  reads: Decider["reads"],
  before: readonly { readonly version: number }[],
  written: readonly { readonly streamId: string }[],
): CoreNewCommit["reads"] {
  const only = new Map<string, number>();
  for (const [index, { streamId }] of reads.entries()) {
    if (!written.some((other) => other.streamId === streamId)) {
      only.set(streamId, before[index]?.version ?? 0);
    }
  }
  return [...only].map(([streamId, version]) => ({ streamId, version }));
}

/** What the caller gave, as the text that is compared when the id comes again. */
function contentOf(
  definition: string,
  target: { readonly id?: string },
  command: string,
  options: Readonly<Record<string, unknown>>,
): string {
  return `${canonicalText({ definition, ...target, ...options })}${command}`;
}

/** The receipt of a commit that was written before, put together again from the log. */
async function firstReceipt(engine: Engine, reads: Decider["reads"], outcome: Appended): Promise<Decided> {
  const events = await eventsOfCommit(engine.log, outcome);
  const streams: StreamOutcome[] = [];
  for (const { states, streamId } of reads) {
    const written = outcome.streams.find((stream) => stream.streamId === streamId);
    const loaded = await states.loadPast(streamId, { atVersion: written?.lastVersion });
    streams.push({ streamId, version: loaded.version, state: loaded.state });
    for (const event of events) {
      if (event.streamId === streamId) {
        upcastEvent(states.aggregate, event as RecordedEvent);
      }
    }
  }
  return { commitId: outcome.commitId, events, position: lastPosition(outcome), streams };
}

/** Whether a stream at `actual` is what the writer expected. */
export function isMet(expected: ExpectedVersion, actual: number): boolean {
  switch (expected) {
    case "any":
      return true;
    case "no-stream":
      return actual === 0;
    case "stream-exists":
      return actual > 0;
    default:
      return actual === expected;
  }
}

/** Someone else wrote first. */
export function conflictError(streamId: string, expected: ExpectedVersion, actual: number): EverfoldError<"conflict"> {
  return new EverfoldError("conflict", `${streamId} is at version ${actual}, expected ${expected}`, {
    streamId,
    expected,
    actual,
  });
}

function checkMode(mode: unknown): "intent" | "fact" {
  if (mode !== undefined && mode !== "intent" && mode !== "fact") {
    throw invalidArgument("mode", `mode is ${String(mode)}, must be "intent" or "fact"`);
  }
  return mode ?? "intent";
}
