/**
 * `append` and `commit`: events that are written as they are, without asking a rule.
 */
import { canonicalText } from "./canonical.js";
import { type CheckedOptions, checkCommitOptions } from "./commit-options.js";
import type { CoreLoaded } from "./core/reading.js";
import type { CoreNewCommit, CoreNewEvent, CoreProgress } from "./core/writing.js";
import type { Engine } from "./engine.js";
import { checkOptions, errorFromCore, invalidArgument } from "./errors.js";
import type { AnyEvent } from "./event.js";
import { conflictError, isMet } from "./execute.js";
import type { Advance, Appended, Job } from "./group-commit.js";
import { newEvent } from "./new-event.js";
import { confirmable, eventsOfCommit, eventsWritten, lastPosition } from "./receipt.js";
import { checkExpectedVersion, checkId } from "./stream-id.js";
import type { AppendOptions, CommitOptions, CommitReceipt, ExpectedVersion, StreamAppend } from "./types.js";
import { schemaVersionOf, upcastEvent } from "./upcast.js";

/** A stream of a commit, checked. */
interface CheckedStream {
  readonly streamId: string;
  readonly expectedVersion: ExpectedVersion;
  readonly events: readonly CoreNewEvent[];
}

interface Written extends CommitReceipt {
  /** The version after it of each stream given. */
  readonly streams: readonly { readonly streamId: string; readonly version: number }[];
}

/** Appends to one stream. */
export async function appendFacts(
  engine: Engine,
  streamId: string,
  events: readonly AnyEvent[],
  options: AppendOptions,
) {
  const { expectedVersion, ...rest } = options;
  const receiptOf = ({ streams, ...receipt }: Written) => ({ ...receipt, streamId, version: streams[0]?.version ?? 0 });
  const { written, content } = await write(engine, [{ streamId, events, expectedVersion }], rest);
  const now = async (outcome: Appended) => receiptOf(await writtenBefore(engine, outcome));
  return confirmable(engine, receiptOf(written), content, now);
}

/** Appends to several streams, all or nothing. */
export async function commitFacts(engine: Engine, streams: readonly StreamAppend[], options: CommitOptions) {
  if (!Array.isArray(streams)) {
    throw invalidArgument("streams", "streams must be a list of { streamId, events }");
  }
  const first = await write(engine, streams, options);
  return confirmable<Written>(engine, first.written, first.content, async (outcome) => {
    const written = await writtenBefore(engine, outcome);
    return { ...written, streams: versionsAfter(streams, outcome, await versionsBeside(engine, streams)) };
  });
}

/** Offers a commit of another device, which the server has lost, to it again: the same one, so that nobody has it twice. */
export async function offerAgain(
  engine: Engine,
  commitId: string,
  streams: ReadonlySet<string>,
): Promise<CommitReceipt> {
  await engine.log.synced<CoreProgress>(
    (core) => core.sync("retryOrphan", [commitId]),
    (progress) => progress,
    streams,
  );
  const found = await engine.log.outcome(commitId);
  if (found === null || !("streams" in found)) {
    throw invalidArgument("commitId", `there is no orphan ${JSON.stringify(commitId)}`);
  }
  const outcome: Appended = { ...found, status: "duplicate" };
  return confirmable<Written>(engine, await writtenBefore(engine, outcome), "", (now) => writtenBefore(engine, now));
}

/** A commit as it is in the log now. */
async function writtenBefore(engine: Engine, outcome: Appended): Promise<Written> {
  return {
    commitId: outcome.commitId,
    events: await firstEvents(engine, outcome),
    position: lastPosition(outcome),
    streams: outcome.streams.map(({ streamId, lastVersion }) => ({ streamId, version: lastVersion })),
  };
}

async function write(
  engine: Engine,
  given: readonly StreamAppend[],
  options: CommitOptions,
): Promise<{ readonly written: Written; readonly content: string }> {
  const checked = checkCommitOptions(options, engine.environment.newId);
  const now = engine.environment.now();
  const streams = given.map((stream, index) =>
    checkStream(engine, checkOptions(stream, `streams[${index}]`), checked, now),
  );
  const ids = new Set(streams.map(({ streamId }) => streamId));
  if (ids.size < streams.length) {
    throw invalidArgument("streams", "a stream is given twice; put its events into one list");
  }
  const content = canonicalText({ ...checked.given, streams: given.map(contentOf) });
  if (streams.every(({ events }) => events.length === 0)) {
    return { written: await nothingWritten(engine, checked, content, streams), content };
  }
  const commit: CoreNewCommit = {
    commitId: checked.commitId,
    known: checked.known,
    recordedAt: now,
    mode: streams.every(({ expectedVersion }) => expectedVersion === "any") ? "fact" : "intent",
    content,
    reads: streams.filter(({ events }) => events.length === 0).flatMap(asRead),
    ...checked.ids,
    ...engine.author,
    streams: streams.filter(({ events }) => events.length > 0),
  };
  // Before it is written: what fails then has written nothing.
  const beside = streams.some(isBeside) ? await versionsBeside(engine, streams) : new Map<string, number>();
  const appended = await submitFacts(engine, commit);
  const written: Written = {
    commitId: appended.commitId,
    events:
      appended.status === "appended" ? eventsWritten(engine, commit, appended) : await firstEvents(engine, appended),
    position: lastPosition(appended),
    streams: versionsAfter(streams, appended, beside),
  };
  return { written, content };
}

/** Versions of the streams that a commit neither writes nor checks. */
async function versionsBeside(engine: Engine, streams: readonly StreamAppend[]): Promise<ReadonlyMap<string, number>> {
  const beside = streams.filter(isBeside);
  const versions = await Promise.all(beside.map(({ streamId }) => versionOf(engine, streamId)));
  return new Map(beside.map(({ streamId }, place) => [streamId, versions[place] as number]));
}

function isBeside({ events, expectedVersion = "any" }: StreamAppend): boolean {
  return events.length === 0 && expectedVersion === "any";
}

/** The version after a commit of each stream given. */
function versionsAfter(
  streams: readonly StreamAppend[],
  { streams: written }: Appended,
  beside: ReadonlyMap<string, number>,
): Written["streams"] {
  return streams.map(({ streamId, expectedVersion }) => ({
    streamId,
    version:
      written.find((stream) => stream.streamId === streamId)?.lastVersion ??
      beside.get(streamId) ??
      (typeof expectedVersion === "number" ? expectedVersion : 0),
  }));
}

/** Gives a commit of facts to the next group. */
export function submitFacts(engine: Engine, commit: CoreNewCommit): Promise<Appended> {
  const text = JSON.stringify(commit);
  const events = commit.streams.reduce((sum, stream) => sum + stream.events.length, 0);
  return new Promise((resolve, reject) => {
    const job: Job = {
      commitId: commit.commitId,
      known: commit.known,
      content: commit.content,
      reads: [],
      prepare: () => ({ text, events, advances: advancesOf(engine, commit) }),
      conflict: ({ streamId, expected, actual }) => conflictError(streamId, expected, actual),
      appended: resolve,
      nothing: () => undefined,
      fail: reject,
    };
    engine.commits.submit(job);
  });
}

/** What a commit of facts does to the states that happen to be kept: they need not be folded again. */
function advancesOf(engine: Engine, commit: CoreNewCommit): Advance[] {
  const advances: Advance[] = [];
  for (const { streamId, events } of commit.streams) {
    for (const states of engine.statesOf(streamId)) {
      const slot = states.ready(streamId);
      if (
        slot !== undefined &&
        events.some((event) => event.schemaVersion !== schemaVersionOf(states.aggregate, event.type))
      ) {
        slot.stale = true;
      } else if (slot !== undefined) {
        const from = slot.tip ?? slot;
        try {
          const to = { state: states.evolve(from.state, events), version: from.version + events.length };
          advances.push({ states, slot, from: from.version, to });
        } catch {
          // A fact is written whatever the definition makes of it; loading the stream will say what is wrong.
          slot.stale = true;
        }
      }
    }
  }
  return advances;
}

function checkStream(engine: Engine, given: StreamAppend, options: CheckedOptions, now: number): CheckedStream {
  const { streamId, events, expectedVersion = "any" } = given;
  checkId(streamId, "streamId");
  if (!Array.isArray(events)) {
    throw invalidArgument("events", "events must be a list");
  }
  const aggregate = engine.aggregateOf(streamId);
  const defaults = { occurredAt: options.occurredAt ?? now, metadata: options.metadata, salt: engine.salt };
  return {
    streamId,
    expectedVersion: checkExpectedVersion(expectedVersion),
    events: (events as readonly AnyEvent[]).map((event, index) =>
      newEvent(event, aggregate, defaults, `events[${index}]`),
    ),
  };
}

/** What the caller gave of a stream, without what was filled in. */
function contentOf({ streamId, events, expectedVersion }: StreamAppend) {
  return {
    streamId,
    expectedVersion,
    events: events.map(({ type, data, metadata, occurredAt }) => ({
      type,
      data: data ?? undefined,
      metadata,
      occurredAt,
    })),
  };
}

/** A stream without events is only checked. */
function asRead({ streamId, expectedVersion }: CheckedStream): CoreNewCommit["reads"] {
  switch (expectedVersion) {
    case "any":
      return [];
    case "no-stream":
      return [{ streamId, version: 0 }];
    case "stream-exists":
      throw invalidArgument("expectedVersion", `${streamId}: "stream-exists" needs events; give the version instead`);
    default:
      return [{ streamId, version: expectedVersion }];
  }
}

async function nothingWritten(
  engine: Engine,
  { commitId, known }: CheckedOptions,
  content: string,
  streams: readonly CheckedStream[],
): Promise<Written> {
  // Nothing is written that would be checked.
  await engine.log.catchUp();
  const found = known ? await engine.log.outcome(commitId, content) : null;
  if (found?.status === "failed") {
    throw errorFromCore(found.error, { commitId });
  }
  const versions = await Promise.all(
    streams.map(async ({ streamId, expectedVersion }) => {
      const version = await versionOf(engine, streamId);
      if (!isMet(expectedVersion, version)) {
        throw conflictError(streamId, expectedVersion, version);
      }
      return { streamId, version };
    }),
  );
  return { commitId, events: [], position: engine.log.position(), streams: versions };
}

async function versionOf({ connection }: Engine, streamId: string): Promise<number> {
  const { version } = await connection.ask<CoreLoaded>((core) =>
    core.load(streamId, "", 0, 0, 0, Number.NaN, "occurred"),
  );
  return version;
}

async function firstEvents(engine: Engine, appended: Appended) {
  const events = await eventsOfCommit(engine.log, appended);
  for (const event of events) {
    const aggregate = engine.aggregateOf(event.streamId);
    if (aggregate !== undefined) {
      upcastEvent(aggregate, event);
    }
  }
  return events;
}
