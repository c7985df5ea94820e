/**
 * Keeps the rows of one projection up to date.
 *
 * It reads the log from where its rows are, folds a page at a time and writes the rows with the new
 * checkpoint in one transaction, which is refused if another tab has moved the checkpoint meanwhile:
 * then it starts from there. Nobody waiting, it lets a few commits gather. A tab that is older than
 * the newest rows, or has other indexes than they are entered in, folds in memory and leaves the stored ones alone.
 *
 * These rows end where the confirmed part of the log does. What is pending lies on top of them while there is some.
 */
import { storeClosed } from "./connection.js";
import type { CoreProjection, CoreRowWrite } from "./core/rows.js";
import type { Engine } from "./engine.js";
import { type AnyEverfoldError, errorFromCore, isEverfoldError } from "./errors.js";
import { ownFoldsOf } from "./folds.js";
import { listenerSet } from "./listeners.js";
import { type FoldedPage, foldLive } from "./live-fold.js";
import { lockFree, shareLock, withLock } from "./lock.js";
import type { LogChange } from "./log.js";
import { type BaseRows, type Overlay, overlayOn, type PendingFold } from "./overlay.js";
import { notForUs, outdatedProjection, rebuildLock, rowsLock } from "./ownership.js";
import { tools } from "./parts.js";
import { problemOf } from "./problems.js";
import type { AnyProjection } from "./projection.js";
import { isFoldFailure } from "./row-fold.js";
import { projectionState, type RowReader, storedRows } from "./row-table.js";

/** Which rows changed; "all" when another tab wrote them. */
export type ChangedKeys = ReadonlySet<string> | "all";

export interface Projector extends RowReader {
  readonly projection: AnyProjection;
  checkpoint(): number;
  failure(): AnyEverfoldError | null;
  /** Resolves when everything up to `position` is in the rows. Rejects if the projection has stopped. */
  reached(position: number): Promise<void>;
  /** Somebody follows the rows: they are folded at once. Returns what ends it. */
  onRows(listener: (keys: ChangedKeys) => void): () => void;
  stop(): void;
}

/** How long commits gather when nobody waits for the rows, and when somebody shows them: less than a frame. */
const gatherMs = 40;
const frameMs = 12;
/** Another tab that wrote is about to fold, too: it is given the chance. */
const politeMs = 60;
/** So many events without a row are written as a checkpoint, to be skipped at the next start. */
const checkpointEach = 5_000;
/** So many events are not folded page by page when there are no rows yet, but as a rebuild. */
const buildAbove = 20_000;

/** What is pending, folded over the rows. */
interface Pending {
  readonly fold: PendingFold;
  readonly rows: Overlay;
  /** The rows below end here. */
  readonly base: number;
  readonly rebases: number;
  /** Up to here. */
  position: number;
  /** Up to here the rows below are known to have been those that end at `base`, all the while. */
  sound: number;
  advancing: Promise<void> | undefined;
  /** Why it cannot be folded. */
  failure: AnyEverfoldError | undefined;
}

export function startProjector(engine: Engine, projection: AnyProjection): Projector {
  const { name, version } = projection;
  const { log, connection } = engine;
  const listeners = listenerSet<ChangedKeys>();
  const fold = (ownFoldsOf(projection)?.live ?? foldLive)(engine, projection);
  const releaseLock = shareLock(rowsLock(engine, name, version));
  let waiters: { readonly position: number; resolve(): void; reject(error: unknown): void }[] = [];
  /** What is stored; undefined before the first look, null when rows are folded in memory. */
  let stored: CoreProjection | null | undefined;
  /** Of what is stored, whoever reads it: it is the next one once the log was cut, and what was folded in memory is worth nothing. */
  let revision = 0;
  /** How often it took over rows that it had not folded itself: what was read of others before is worth nothing. */
  let adoptions = 0;
  /** Every event up to here is in the rows. */
  let seen = 0;
  let failure: AnyEverfoldError | undefined;
  let pending: Pending | undefined;
  let running = false;
  let lookFirst = false;
  /** Something went wrong that may pass: only news or a question starts it again. */
  let resting = false;
  /** What it last told of rows that are not, or not only, its own. */
  let told: string | undefined;
  let timer: ReturnType<typeof setTimeout> | undefined;
  let stopped = false;

  const stopListening = log.onChange(onLogChange);
  const stopReloading = engine.rebuilt.add((rebuilt) => {
    if (rebuilt.projection === name) {
      failure = undefined;
      lookFirst = true;
      wake(0);
    }
  });
  wake(0);

  function onLogChange({ foreign, more, rebased }: LogChange): void {
    lookFirst ||= foreign || rebased;
    if (rebased) {
      dropPending();
      listeners.tell("all");
    }
    if (log.confirmedPosition() < seen) {
      // The confirmed part has become shorter, or another tab has folded what is not known here yet.
      lookFirst = true;
      if (stored === null) {
        fold.restart();
        seen = 0;
      }
    }
    if (!more || waiters.length > 0 || listeners.any()) {
      wake(foreign ? politeMs : patience());
    }
  }

  function patience(): number {
    return waiters.length > 0 ? 0 : listeners.any() ? frameMs : gatherMs;
  }

  /** Runs within `delay`; an earlier appointment stands. */
  function wake(delay: number): void {
    if (running || stopped || failure !== undefined) {
      return;
    }
    if (delay === 0) {
      clearTimeout(timer);
      timer = undefined;
      running = true;
      queueMicrotask(run);
    } else {
      timer ??= setTimeout(() => {
        timer = undefined;
        wake(0);
      }, delay);
    }
  }

  async function run(): Promise<void> {
    resting = false;
    try {
      if (stored === undefined || lookFirst) {
        lookFirst = false;
        adopt(await projectionState(connection, projection));
      }
      if (stored && isToBuild(stored)) {
        await build();
      }
      while (seen < log.confirmedPosition() && !stopped) {
        await foldTo(log.confirmedPosition());
      }
      serve();
    } catch (error) {
      onError(error);
    }
    running = false;
    if (!resting && (waiters.length > 0 || lookFirst || seen < log.confirmedPosition())) {
      wake(patience());
    } else if (listeners.any() && !stopped) {
      // Whoever asks for the rows hears why it failed.
      overlay().catch(() => undefined);
    }
  }

  /** Gives up what is folded over the rows, unless another fold has taken the place of this one. */
  function dropPending(which = pending): void {
    if (pending !== undefined && pending.fold === which?.fold) {
      pending.fold.end();
      pending = undefined;
    }
  }

  /** The rows below end at `position` now. What is folded over them still holds, as far as it goes: no event has moved. */
  function advanceBelow(position: number): void {
    if (pending?.base === seen && pending.advancing === undefined && position !== seen) {
      const { position: end, sound } = pending;
      if (position > end || position >= log.position() || sound < end) {
        dropPending();
      } else {
        // Another object: a reading that began before has to look again.
        pending = { ...pending, base: position };
        pending.rows.advanced();
      }
    }
    seen = position;
  }

  /** Everything that is pending, folded over the rows; undefined if nothing is, or if it has to be tried again. */
  async function overlay(): Promise<Pending | undefined> {
    const end = log.position();
    if (pending?.base !== seen || pending.rebases !== log.rebases()) {
      dropPending();
    }
    if (stored === undefined || end <= log.confirmedPosition() || seen !== log.confirmedPosition()) {
      return undefined;
    }
    if (pending === undefined) {
      const [fold_, rows] = [fold.pending(stored, seen), overlayOn(projection, baseRows(stored))];
      const news = { position: seen, sound: seen, advancing: undefined, failure: undefined };
      pending = { fold: fold_, rows, base: seen, rebases: log.rebases(), ...news };
    }
    const folded = pending;
    // What cannot be folded stands where it is: to try again would tell it again, to those who ask again then.
    if (folded.position < end && folded.failure === undefined) {
      folded.advancing ??= advance(folded, end).finally(() => {
        folded.advancing = undefined;
      });
      await folded.advancing;
    }
    if (folded.failure !== undefined) {
      throw folded.failure;
    }
    return folded === pending && folded.position >= end ? folded : undefined;
  }

  async function advance(folded: Pending, end: number): Promise<void> {
    try {
      const changed = await folded.fold.advance(end);
      if (changed === null) {
        dropPending(folded);
        return;
      }
      folded.rows.put(changed);
      folded.position = end;
      if (changed.length > 0) {
        listeners.tell(new Set(changed.map(({ key }) => key)));
      }
    } catch (error) {
      if (!isFoldFailure(error)) {
        dropPending(folded);
        throw error;
      }
      // It is pending: that may pass.
      folded.failure = error;
      listeners.tell("all");
    }
  }

  function baseRows(state: CoreProjection | null): BaseRows {
    return state === null ? fold.memory : storedRows(connection, state.generation);
  }

  /** Whether there are no rows yet, and either others that they replace or very many events. */
  function isToBuild({ checkpoint, failedAt, newestVersion, stale, resumable }: CoreProjection): boolean {
    const replaces = resumable || stale.length > 0;
    const end = log.confirmedPosition();
    return checkpoint === 0 && failedAt === null && newestVersion === version && end > (replaces ? 0 : buildAbove);
  }

  /** A new version: its rows are built beside the old ones, which keep serving the tabs of that version. */
  async function build(): Promise<void> {
    const { buildRows } = await tools();
    try {
      await buildRows(engine, projection, {
        check() {
          if (stopped) {
            throw storeClosed(engine.name);
          }
        },
      });
    } catch (error) {
      if (isEverfoldError(error, "rebuild-running")) {
        await lockFree(rebuildLock(engine, name));
      } else {
        if (isFoldFailure(error)) {
          await stopAt(error);
        }
        throw error;
      }
    }
    adopt(await projectionState(connection, projection));
  }

  /** Takes over what is stored, if that is not what it folded itself. */
  function adopt(state: CoreProjection): void {
    const before = stored;
    const problem = notForUs(projection, state);
    if (before === null && problem !== undefined && state.revision === revision) {
      return;
    }
    revision = state.revision;
    const own = problem === undefined && before != null && isSame(before, state);
    const news = state.newestVersion > version ? outdatedProjection(projection, state.newestVersion) : problem;
    if (told !== news?.code) {
      told = news?.code;
      report(news);
    }
    stored = problem === undefined ? state : null;
    if (!own) {
      adoptions += 1;
      fold.forget();
      fold.restart();
      if (stored === null || before?.generation !== stored.generation || before.revision !== stored.revision) {
        dropPending();
      }
      advanceBelow(stored === null ? 0 : state.checkpoint);
      if (before !== undefined) {
        listeners.tell("all");
      }
    }
    if (before === undefined && state.newestVersion === version && state.stale.length > 0) {
      engine.idle.later(`stale rows of ${name}`, () => dropStale(state));
    }
  }

  function report(error: unknown): void {
    const problem = error === undefined ? undefined : problemOf(error);
    if (problem !== undefined) {
      engine.report(problem);
    }
  }

  /** Folds to the end, or as far as the rows are still its own. */
  async function foldTo(position: number): Promise<void> {
    const begun = adoptions;
    try {
      for await (const page of fold.pages(stored ?? null, seen, position)) {
        if (stopped || page === null || !(await write(page, begun))) {
          await lookAgain(begun);
          return;
        }
        serve();
      }
    } catch (error) {
      fold.forget();
      if (isFoldFailure(error)) {
        await stopAt(error);
      }
      throw error;
    }
  }

  /** The stored rows were not those that it knew: another tab wrote, rebuilt or dropped them. */
  async function lookAgain(begun: number): Promise<void> {
    fold.forget();
    if (begun !== adoptions) {
      return;
    }
    const before = stored;
    adopt(await projectionState(connection, projection));
    if (before && stored && isSame(before, stored)) {
      // They cannot be written, although nothing is known against it: in memory, rather than in a circle.
      adoptions += 1;
      stored = null;
      seen = 0;
      fold.restart();
    }
  }

  /**
   * Writes rows with the checkpoint that they stand for, folded from rows as they were after `begun` adoptions. False:
   * another tab was there first.
   */
  async function write(page: FoldedPage, begun: number, failedAt: number | null = null): Promise<boolean> {
    const { position } = page;
    if (begun !== adoptions) {
      return false;
    }
    // Whoever comes while they are written hears that all may have changed.
    const keys = page.changed > 0 && listeners.any() ? page.keys() : "all";
    if (stored) {
      const due = page.changed > 0 || position - stored.checkpoint >= checkpointEach || failedAt !== stored.failedAt;
      if (due) {
        const { generation, checkpoint, revision } = stored;
        const head = {
          ...{ name, version, generation, revision, failedAt, rows: [] },
          ...{ expectedCheckpoint: checkpoint, checkpoint: position },
        };
        if (!(await page.write(head)) || begun !== adoptions) {
          return false;
        }
        stored = { ...stored, checkpoint: position, failedAt };
        if (pending?.base === seen && pending.advancing === undefined) {
          // Up to now they were those that were written over.
          pending.sound = pending.position;
        }
      }
    }
    page.settle();
    advanceBelow(position);
    if (page.changed > 0) {
      listeners.tell(keys);
    }
    return true;
  }

  /** Brings the rows up to just before the event that cannot be folded, and says where it stands. */
  async function stopAt(error: AnyEverfoldError): Promise<void> {
    const { position } = error.details as { readonly position?: number };
    const begun = adoptions;
    if (stored === null) {
      fold.restart();
      seen = 0;
    }
    if (position !== undefined) {
      for await (const page of fold.pages(stored ?? null, seen, position - 1)) {
        if (page === null || !(await write(page, begun))) {
          return;
        }
      }
      await write(nothingUpTo(Math.max(seen, position - 1)), begun, position);
    }
  }

  /** A page that changes no row. */
  function nothingUpTo(position: number): FoldedPage {
    return {
      position,
      changed: 0,
      keys: () => new Set(),
      write: (head) => connection.call((core) => core.writeRows(JSON.stringify(head satisfies CoreRowWrite))),
      settle() {},
    };
  }

  function onError(error: unknown): void {
    resting = true;
    // They may be folded further than what is stored.
    fold.forget();
    const rejected = waiters;
    waiters = [];
    if (isFoldFailure(error)) {
      failure = error;
      report(error);
      listeners.tell("all");
    } else if (rejected.length === 0 && !isEverfoldError(error, "wasm-failed")) {
      // Of a trap the connection tells, once for all.
      report(error);
    }
    for (const waiter of rejected) {
      waiter.reject(errorFromCore(error));
    }
  }

  /** Answers those who wait for what is now in the rows, or was cut off the log. */
  function serve(): void {
    const isReached = ({ position }: { readonly position: number }) =>
      Math.min(position, log.confirmedPosition()) <= seen;
    const served = waiters.filter(isReached);
    if (served.length > 0) {
      waiters = waiters.filter((waiter) => !isReached(waiter));
      for (const waiter of served) {
        waiter.resolve();
      }
    }
  }

  /** Rows of older versions go when no tab of that version is open; those of its own that were replaced, at once. */
  async function dropStale({ stale }: CoreProjection): Promise<void> {
    const { dropIdly } = await tools();
    for (const old of stale) {
      const drop = () => dropIdly(engine, old.generation);
      await (old.version === version ? drop() : withLock(rowsLock(engine, name, old.version), drop));
    }
  }

  /** Asks the rows; when they have been replaced meanwhile, the new ones. */
  async function ask<T>(question: (rows: BaseRows) => Promise<T | null>): Promise<T> {
    for (;;) {
      if (stored === undefined) {
        adopt(await projectionState(connection, projection));
      }
      // What was pending when the caller came may be confirmed by now.
      await reached(log.ownPosition());
      const isPending = log.position() > log.confirmedPosition();
      const over = isPending ? await overlay() : undefined;
      if (isPending && over === undefined) {
        await lookAtBoth();
        continue;
      }
      const begun = adoptions;
      const answer = await question(over?.rows ?? baseRows(stored ?? null));
      if (answer !== null && (over === undefined || (await isStillBelow(over)))) {
        return answer;
      }
      if (over === undefined) {
        await lookAgain(begun);
      }
    }
  }

  /** Whether the rows below are those that pending events were folded over: another tab may have folded on. */
  async function isStillBelow(over: Pending): Promise<boolean> {
    const { base, rebases, position } = over;
    if (stored && !isSame(await projectionState(connection, projection), stored)) {
      await lookAtBoth();
      return false;
    }
    if (base !== seen || rebases !== log.rebases()) {
      return false;
    }
    over.sound = Math.max(over.sound, position);
    return true;
  }

  /** Another tab was faster, in the log or in the rows. */
  async function lookAtBoth(): Promise<void> {
    await log.catchUp();
    const now = await projectionState(connection, projection);
    // A run that is under way takes it over itself.
    if (!running) {
      adopt(now);
    }
  }

  function reached(until: number): Promise<void> {
    if (stopped || failure !== undefined) {
      return Promise.reject(failure ?? storeClosed(engine.name));
    }
    const position = Math.min(until, log.confirmedPosition());
    if (seen >= position && stored !== undefined) {
      return Promise.resolve();
    }
    return new Promise((resolve, reject) => {
      waiters.push({ position, resolve, reject });
      wake(0);
    });
  }

  return {
    projection,
    checkpoint: () => Math.max(seen, pending?.position ?? 0),
    failure: () => failure ?? null,
    reached,
    rows: (keys) => ask((rows) => rows.rows(keys)),
    list: (range) => ask((rows) => rows.list(range)),
    count: () => ask((rows) => rows.count()),
    onRows(listener) {
      wake(0);
      return listeners.add(listener);
    },
    stop() {
      stopped = true;
      clearTimeout(timer);
      stopListening();
      stopReloading();
      releaseLock();
      onError(storeClosed(engine.name));
      dropPending();
      fold.end();
    },
  };
}

/** Whether rows that were read under one are those of the other. */
function isSame(one: CoreProjection, other: CoreProjection): boolean {
  return one.generation === other.generation && one.checkpoint === other.checkpoint && one.revision === other.revision;
}
