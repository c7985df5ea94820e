/**
 * `ingest`: facts in bulk.
 *
 * Batches are gathered into blocks that fill one transaction, which the core writes as a finished
 * segment; while one block is on its way the next is read and checked. Progress is told when a block is
 * on disk: that is the acknowledgement. What is on disk is at any time a beginning of what was given,
 * without the commits that were refused and passed over. A batch with a `commitId` that the log holds already is
 * counted as known, so that an import that was cut off is simply run again.
 */
import { type Bulk, newBulk } from "./bulk.js";
import { canonicalText } from "./canonical.js";
import type { CoreOutcome } from "./core/writing.js";
import type { Engine } from "./engine.js";
import { type AnyEverfoldError, checkFunctions, EverfoldError, errorFromCore, invalidArgument } from "./errors.js";
import type { StreamEvent } from "./event.js";
import { aborted, checkAborted } from "./read.js";
import { checkId } from "./stream-id.js";
import { nextTask } from "./turn.js";
import type { IngestBatch, IngestOptions, IngestProgress, IngestRefusal } from "./types.js";

/** A block ends at these: a segment has about as many events, and a turn should be short. */
const blockEvents = 8_000;
const blockCharacters = 3_000_000;
/** A bare array is cut into commits well within the limit of 1,000 events and 256 KiB. */
const cutEvents = 1_000;
const cutCharacters = 64_000;

/** Writes every batch. Rejects after what is under way has ended and been acknowledged. */
export async function ingestFacts(
  engine: Engine,
  batches: Iterable<IngestBatch> | AsyncIterable<IngestBatch>,
  { onProgress, onRefused, signal }: IngestOptions,
): Promise<IngestProgress> {
  checkFunctions({ onProgress, onRefused });
  const { log, commits: queue, environment } = engine;
  let progress: IngestProgress = {
    events: 0,
    commits: 0,
    knownEvents: 0,
    knownCommits: 0,
    position: log.position(),
  };
  let writing: Promise<void> = Promise.resolve();
  let before = writing;
  let block = newBulk(engine, environment.now());
  let written: ReadonlySet<string> | undefined;

  async function write(bulk: Bulk): Promise<void> {
    const release = engine.idle.hold();
    try {
      await writeParts(bulk);
    } finally {
      release();
    }
  }

  async function writeParts(bulk: Bulk): Promise<void> {
    const text = bulk.text();
    const streams = bulk.streams();
    for (let from = 0; from < bulk.commitIds.length; ) {
      checkAborted(signal);
      const done = await log.ingest(text, from, onRefused !== undefined, streams);
      from = done.next;
      if (done.commits > done.knownCommits) {
        written = streams;
        log.grown(streams, true);
      }
      const refused = done.refused.map(([number, outcome]) => refusal(outcome, bulk.commitIds[number] as string));
      for (const each of refused) {
        onRefused?.(each);
      }
      if (done.commits > 0) {
        progress = {
          events: progress.events + done.events,
          commits: progress.commits + done.commits,
          knownEvents: progress.knownEvents + done.knownEvents,
          knownCommits: progress.knownCommits + done.knownCommits,
          position: Math.max(progress.position, done.position),
        };
        onProgress?.(progress);
      }
      if (onRefused === undefined && refused[0] !== undefined) {
        throw refused[0].error;
      }
    }
  }

  /** Hands the block over, if it is full. */
  async function handOver(): Promise<void> {
    if (block.events() >= blockEvents || block.characters() >= blockCharacters) {
      await next();
    }
  }

  /**
   * The block is written when the one before is on disk, while the next is made: one is written, one waits.
   * The core's part and the making of a block are turns of their own.
   */
  async function next(): Promise<void> {
    await nextTask();
    await before;
    checkAborted(signal);
    engine.check();
    const bulk = block;
    before = writing;
    writing = queue.alongside(before.then(() => write(bulk)));
    // It is awaited before the block after the next, or at the end.
    writing.catch(() => undefined);
    block = newBulk(engine, environment.now());
    await nextTask();
  }

  if (!isIterable(batches)) {
    throw invalidArgument("batches", "batches must be an iterable of { commitId, events } or of arrays of events");
  }
  checkAborted(signal);
  const over = new AbortController();
  try {
    await Promise.race([gather(), whenAborted()]);
  } finally {
    over.abort();
    try {
      await writing;
    } finally {
      if (written !== undefined) {
        log.grown(written);
      }
    }
  }
  return progress;

  async function gather(): Promise<void> {
    for await (const batch of batches) {
      checkAborted(signal);
      await take(batch);
    }
    if (block.commitIds.length > 0) {
      await next();
    }
  }

  /** Rejects when the signal says so, however long the source takes for its next batch. It has a turn to end before. */
  function whenAborted(): Promise<never> {
    return new Promise((_, reject) => {
      const end = () => void nextTask().then(() => reject(aborted(signal as AbortSignal)));
      signal?.addEventListener("abort", end, { signal: over.signal });
    });
  }

  /** Adds one batch: a commit, or several of a bare array that is too large for one. */
  async function take(batch: IngestBatch): Promise<void> {
    const bare = Array.isArray(batch);
    const given = (bare ? batch : (batch as { readonly events?: unknown })?.events) as readonly StreamEvent[];
    if (!Array.isArray(given)) {
      throw invalidArgument("batches", "a batch is { commitId, events } or an array of events");
    }
    const commitId = bare ? undefined : checkId((batch as { readonly commitId: unknown }).commitId, "commitId");
    let texts = "";
    let count = 0;
    for (const [index, event] of given.entries()) {
      let text = block.textOf(event, `events[${index}]`);
      if (bare && count > 0 && (count === cutEvents || texts.length + text.length > cutCharacters)) {
        block.commit(environment.newId(), count, texts);
        await handOver();
        [texts, count] = ["", 0];
        // In the next block, streams and types have other numbers.
        text = block.textOf(event, `events[${index}]`);
      }
      texts += text;
      count += 1;
    }
    if (count > 0) {
      const content = commitId === undefined ? undefined : canonicalText(given.map(contentOf));
      block.commit(commitId ?? environment.newId(), count, texts, content);
      await handOver();
    }
  }
}

function isIterable(value: unknown): boolean {
  return typeof value === "object" && value !== null && (Symbol.iterator in value || Symbol.asyncIterator in value);
}

/** What the caller gave of an event. */
function contentOf({ streamId, type, data, metadata, occurredAt }: StreamEvent) {
  return { streamId, type, data: data ?? undefined, metadata, occurredAt };
}

function refusal(outcome: CoreOutcome, commitId: string): IngestRefusal {
  const error =
    outcome.status === "failed"
      ? errorFromCore(outcome.error, { commitId })
      : new EverfoldError("wasm-failed", "the engine gave no reason for a refused commit", {});
  return { commitId, error: error as AnyEverfoldError };
}
