/**
 * `ingest`: facts in bulk.
 *
 * Batches are gathered into blocks that fill one transaction; while one block is on its way the next
 * is read and checked. Progress is told when a block is on disk: that is the acknowledgement. A batch
 * with a `commitId` that the log holds already is counted as known, so that an import that was cut
 * off is simply run again.
 */
import { canonicalText } from "./canonical.js";
import type { CoreNewCommit, CoreNewEvent } from "./core.js";
import type { Engine } from "./engine.js";
import { invalidArgument } from "./errors.js";
import type { StreamEvent } from "./event.js";
import { submitFacts } from "./facts.js";
import { newEvent } from "./new-event.js";
import { checkAborted } from "./read.js";
import { lastPosition } from "./receipt.js";
import { checkId } from "./stream-id.js";
import type { IngestBatch, IngestOptions, IngestProgress } from "./types.js";

/** A block ends at these; a group commit takes as much. */
const blockEvents = 2_048;
const blockCharacters = 2_000_000;
/** A bare array is cut into commits well within the limit of 1,000 events and 256 KiB. */
const cutEvents = 1_000;
const cutCharacters = 64_000;

interface Block {
  commits: CoreNewCommit[];
  events: number;
  characters: number;
}

/** Writes every batch. Rejects after what is under way has ended and been acknowledged. */
export async function ingestFacts(
  engine: Engine,
  batches: Iterable<IngestBatch> | AsyncIterable<IngestBatch>,
  { onProgress, signal }: IngestOptions,
): Promise<IngestProgress> {
  let progress: IngestProgress = {
    events: 0,
    commits: 0,
    knownEvents: 0,
    knownCommits: 0,
    position: engine.log.position(),
  };
  let writing: Promise<void> = Promise.resolve();
  let block: Block = emptyBlock();

  async function writeBlock({ commits }: Block): Promise<void> {
    const results = await Promise.allSettled(commits.map((commit) => submitFacts(engine, commit)));
    let { events, commits: count, knownEvents, knownCommits, position } = progress;
    let failure: { readonly error: unknown } | undefined;
    for (const [index, result] of results.entries()) {
      if (result.status === "rejected") {
        failure ??= { error: result.reason };
        continue;
      }
      const size = eventsIn(commits[index] as CoreNewCommit);
      events += size;
      count += 1;
      if (result.value.status === "duplicate") {
        knownEvents += size;
        knownCommits += 1;
      }
      position = Math.max(position, lastPosition(result.value));
    }
    if (count > progress.commits) {
      progress = { events, commits: count, knownEvents, knownCommits, position };
      onProgress?.(progress);
    }
    if (failure !== undefined) {
      throw failure.error;
    }
  }

  /** Hands the block over once the one before is on disk. */
  async function next(): Promise<void> {
    await writing;
    checkAborted(signal);
    writing = writeBlock(block);
    // It is awaited before the next block, or at the end.
    writing.catch(() => undefined);
    block = emptyBlock();
  }

  if (!isIterable(batches)) {
    throw invalidArgument("batches", "batches must be an iterable of { commitId, events } or of arrays of events");
  }
  try {
    for await (const batch of batches) {
      checkAborted(signal);
      engine.check();
      for (const { commit, characters } of commitsOf(engine, batch)) {
        block.commits.push(commit);
        block.events += eventsIn(commit);
        block.characters += characters;
        if (block.events >= blockEvents || block.characters >= blockCharacters) {
          await next();
        }
      }
    }
    if (block.commits.length > 0) {
      await next();
    }
  } finally {
    await writing;
  }
  return progress;
}

function emptyBlock(): Block {
  return { commits: [], events: 0, characters: 0 };
}

function eventsIn({ streams }: CoreNewCommit): number {
  return streams.reduce((sum, { events }) => sum + events.length, 0);
}

function isIterable(value: unknown): boolean {
  return typeof value === "object" && value !== null && (Symbol.iterator in value || Symbol.asyncIterator in value);
}

/** The commits of one batch: one, or several of a bare array that is too large for one. */
function* commitsOf(engine: Engine, batch: IngestBatch): Generator<{ commit: CoreNewCommit; characters: number }> {
  const bare = Array.isArray(batch);
  const given = (bare ? batch : (batch as { readonly events?: unknown })?.events) as readonly StreamEvent[];
  if (!Array.isArray(given)) {
    throw invalidArgument("batches", "a batch is { commitId, events } or an array of events");
  }
  const commitId = bare ? undefined : checkId((batch as { readonly commitId: unknown }).commitId, "commitId");
  const now = engine.environment.now();
  let streams = new Map<string, CoreNewEvent[]>();
  let count = 0;
  let characters = 0;

  for (const [index, event] of (given as readonly StreamEvent[]).entries()) {
    const where = `events[${index}]`;
    const streamId = checkId(event?.streamId, `${where}.streamId`);
    const checked = newEvent(event, engine.aggregateOf(streamId), { occurredAt: now }, where);
    const size = JSON.stringify(checked).length;
    if (bare && count > 0 && (count === cutEvents || characters + size > cutCharacters)) {
      yield { commit: commitOf(engine.environment.newId(), now, streams, ""), characters };
      streams = new Map();
      count = 0;
      characters = 0;
    }
    const events = streams.get(streamId);
    if (events === undefined) {
      streams.set(streamId, [checked]);
    } else {
      events.push(checked);
    }
    count += 1;
    characters += size;
  }
  if (count > 0) {
    const content = commitId === undefined ? "" : canonicalText(given.map(contentOf));
    yield { commit: commitOf(commitId ?? engine.environment.newId(), now, streams, content), characters };
  }
}

function commitOf(
  commitId: string,
  recordedAt: number,
  eventsByStream: ReadonlyMap<string, readonly CoreNewEvent[]>,
  content: string,
): CoreNewCommit {
  return {
    commitId,
    // Only an id that the caller gave has content to be compared.
    known: content !== "",
    recordedAt,
    mode: "fact",
    content,
    reads: [],
    streams: [...eventsByStream].map(([streamId, events]) => ({ streamId, expectedVersion: "any", events })),
  };
}

/** What the caller gave of an event. */
function contentOf({ streamId, type, data, metadata, occurredAt }: StreamEvent) {
  return { streamId, type, data: data ?? undefined, metadata, occurredAt };
}
