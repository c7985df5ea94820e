/**
 * The walk over pending commits that a pull calls for: those whose streams were touched are decided again, each on the
 * state that confirmed events and pending ones before it leave.
 *
 * The core says which, and what to make of the answer. A refusal is an answer; a `decide` that fails or that is not in
 * this build is none: its commit stays as it is.
 */
import type { CoreDecide, CoreDecision, CoreRebased } from "../core/rebasing.js";
import type { AnyDecision } from "../decision.js";
import type { Engine } from "../engine.js";
import { type AnyEverfoldError, EverfoldError, errorFromCore, isEverfoldError } from "../errors.js";
import type { RecordedEvent } from "../event.js";
import { aggregateDecider, type Decider, decisionDecider, streamsDecided } from "../execute.js";
import { deepFreeze, jsonProblem } from "../json.js";
import { recordedEvents } from "../recorded.js";
import { foldRecorded, type States } from "../states.js";
import { aggregateNameOf } from "../stream-id.js";
import type { Loaded, RefusalReason } from "../types.js";

/** What a walk led to. */
export interface Walked {
  readonly changed: readonly string[];
  readonly refused: readonly string[];
  readonly violated: readonly { readonly commitId: string; readonly reason: unknown }[];
  readonly blocked: readonly { readonly commitId: string; readonly error: AnyEverfoldError }[];
  /** Whether another tab may be able to decide what this one could not. */
  readonly lacking: boolean;
}

/** Walks to the end of the tail. Rejects with what the store says, `fenced` among it. */
export async function walkTail(engine: Engine): Promise<Walked> {
  const streams: WalkedStreams = new Map();
  const failures = new Map<string, EverfoldError>();
  let lacking = false;
  let decision = "";
  for (;;) {
    const answer = decision;
    const step = await engine.log.synced<CoreDecide | CoreRebased>(
      (core) => core.sync("rebaseNext", [answer]),
      (step) => ("done" in step ? step.done.progress : undefined),
    );
    if ("done" in step) {
      const blocked = step.done.blocked.map(({ commitId, error }) => ({
        commitId,
        error: (failures.get(commitId) ?? errorFromCore(error, { commitId })) as AnyEverfoldError,
      }));
      return { ...step.done, blocked, lacking };
    }
    if (step.begins) {
      streams.clear();
    }
    for (const { streamId, confirmedVersion, batch } of step.streams) {
      const { events, ...stream } = streams.get(streamId) ?? { confirmedVersion, tip: undefined, events: [] };
      streams.set(streamId, { ...stream, events: [...events, ...recordedEvents(batch)] });
    }
    let decided: CoreDecision;
    try {
      decided = await decideAgain(engine, streams, step);
    } catch (thrown) {
      // Also one that the store has: it passes, or the next walk says so.
      const error = errorFromCore(thrown);
      lacking ||= isEverfoldError(error, "app-outdated");
      failures.set(step.commitId, error);
      decided = { blocked: { code: error.code, message: error.message } };
    }
    decision = JSON.stringify(decided);
  }
}

/** What is known of each stream, after everything before the commit at hand. */
type WalkedStreams = Map<
  string,
  {
    readonly confirmedVersion: number;
    readonly tip: Loaded<unknown> | undefined;
    /** Pending events that are not in `tip` yet. */
    readonly events: readonly RecordedEvent[];
  }
>;

async function decideAgain(engine: Engine, streams: WalkedStreams, step: CoreDecide): Promise<CoreDecision> {
  const { commitId, occurredAt, metadata } = step;
  const command = deepFreeze(step.command);
  const decider = deciderOf(engine, step, command);
  const before: Loaded<unknown>[] = [];
  for (const { states, streamId } of decider.reads) {
    const stream = streams.get(streamId);
    if (stream === undefined) {
      const { name } = decider.definition;
      const message = `${name}: reads ${streamId}, which it did not read when ${commitId} was made`;
      throw new EverfoldError("decide-failed", message, { definition: name, streamId });
    }
    const { confirmedVersion, events } = stream;
    let { tip = await states.loadPast(streamId, { atVersion: confirmedVersion }) } = stream;
    if (events.length > 0) {
      tip = { state: foldRecorded(states.aggregate, tip.state, events), version: tip.version + events.length };
    }
    streams.set(streamId, { confirmedVersion, tip, events: [] });
    before.push(tip);
  }
  try {
    const lists = decider.decide(
      command,
      before.map(({ state }) => state),
      commitId,
    );
    const kept = metadata as Readonly<Record<string, unknown>> | undefined;
    const defaults = { occurredAt, metadata: kept, salt: engine.salt };
    const { name, version } = decider.definition;
    const written = streamsDecided(decider.reads, lists, defaults);
    return {
      definition: { name, version },
      events: written.map(({ streamId, events }) => ({ streamId, events })),
    };
  } catch (error) {
    if (!isEverfoldError(error, "refused")) {
      throw error;
    }
    return {
      refused: reasonOf(error),
      stateSeen: decider.reads.map(({ streamId }, place) => {
        const { state, version } = before[place] as Loaded<unknown>;
        return { streamId, version, state: jsonProblem(state) === undefined ? state : null };
      }),
    };
  }
}

/** By what is registered under the name, if it is not older than what decided the last time. */
function deciderOf(engine: Engine, { definition, streams, commitId }: CoreDecide, command: unknown): Decider {
  const { name, version } = definition ?? { name: "", version: 0 };
  const newEnough = (found: { readonly version: number }) => found.version >= version;
  const decision = engine.decisionsNamed(name).find(newEnough);
  if (decision !== undefined) {
    return decisionDecider(decision as AnyDecision, (aggregate) => engine.statesBy(aggregate) as States, command);
  }
  const written = streams.find((stream) => stream.written && aggregateNameOf(stream.streamId) === name);
  const states = written && engine.statesOf(written.streamId).find(({ aggregate }) => newEnough(aggregate));
  if (written === undefined || states === undefined) {
    throw new EverfoldError(
      "app-outdated",
      `${name} version ${version} decided on ${commitId}, and is not registered here: update the app`,
      { definition: name, found: version },
    );
  }
  return aggregateDecider(states, written.streamId);
}

/** A refusal as it is kept: its cause too, where that is JSON. */
function reasonOf({ code, message, details, cause }: EverfoldError<"refused">): RefusalReason {
  const reason = { code, message, details: { ...details } };
  if (cause instanceof Error) {
    const plain = { name: cause.name, message: cause.message };
    const own = Object.assign({}, cause, plain);
    return { ...reason, cause: jsonProblem(own) === undefined ? own : plain };
  }
  return cause === undefined || jsonProblem(cause) !== undefined ? reason : { ...reason, cause };
}
