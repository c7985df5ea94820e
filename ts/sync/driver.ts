/**
 * Drives sync: does what the replica says, and tells it what came of that.
 *
 * The replica (`src/sync/replica.rs`) knows what comes next; this file has the network, the store, timers and the other
 * tabs. Every tab runs one, and only that of the leader sends anything; the others hear from it how it stands.
 */
import { storeClosed } from "../connection.js";
import type { SyncInput, SyncOutput } from "../core/replica.js";
import type { CoreSyncState } from "../core/syncing.js";
import type { CoreProgress } from "../core/writing.js";
import type { Engine } from "../engine.js";
import { type AnyEverfoldError, EverfoldError, errorFromCore, isEverfoldError } from "../errors.js";
import { listenerSet } from "../listeners.js";
import { problemOf } from "../problems.js";
import { aborted } from "../read.js";
import type { SyncStatus } from "../types.js";
import { compensateIn } from "./compensation.js";
import { type Applied, exchangeWith } from "./exchange.js";
import { standForLeader } from "./leader.js";
import { nowCalls } from "./now.js";
import type { CheckedSync } from "./options.js";
import { errorOf, type LeaderStatus, type PlainError, plainError, syncOff } from "./status.js";
import { RequestFailed, transportTo } from "./transport.js";
import { walkTail } from "./walk.js";

export interface SyncDriver {
  status(): SyncStatus;
  onStatus(listener: (status: SyncStatus) => void): () => void;
  /** Resolves when both sides have the same. */
  now(signal: AbortSignal | undefined): Promise<void>;
  pause(paused: boolean): void;
  /** The core was started afresh: what the replica knew is gone. */
  reopened(): void;
  stop(): Promise<void>;
}

/** What tabs say to each other. */
type Message =
  /** Every two seconds, and whenever it changes. */
  | { readonly kind: "leading"; readonly by: string; readonly status: PlainStatus; readonly paused: boolean }
  | { readonly kind: "hello" }
  | { readonly kind: "now"; readonly id: string }
  | { readonly kind: "done"; readonly id: string; readonly error: PlainError | null }
  | { readonly kind: "pause"; readonly paused: boolean }
  | { readonly kind: "dismissed" };

type PlainStatus = Omit<LeaderStatus, "blockedBy" | "lastError"> & {
  readonly blockedBy: PlainError | null;
  readonly lastError: PlainError | null;
};

const dayMs = 86_400_000;
const walkAgainMs = 10_000;
/** A tab that lacks a definition hands over at most so often: perhaps all do. */
const handOverEachMs = 60_000;
/** So long after a failure the start of a leader is tried again. */
const takeOverEachMs = 5_000;

export function driveSync(engine: Engine, options: CheckedSync): SyncDriver {
  const { environment, connection, log } = engine;
  const listeners = listenerSet<SyncStatus>();
  const channel = environment.channel(`${engine.lockPrefix}/sync`);
  const requests = new Map<number, AbortController>();
  /** What failed, by the words that the replica has for it. */
  const errors = new Map<string, AnyEverfoldError>();
  const reported = new Set<string>();
  /** This tab. */
  const own = environment.newId();
  let token = "";
  let epochProblem = "";
  let leading = false;
  let paused = false;
  let stopped = false;
  let current: LeaderStatus = { ...syncOff, state: "connecting" };
  /** What blocks, if the app was told of it since the server last answered. */
  let told: string | undefined;
  let oldestPendingAt: number | null = null;
  let pendingKnown = -1;
  let commits = 0;
  let chain: string | null = null;
  /** Of a long push or pull: commits when it began, and commits that the server has. */
  let drainFrom = 0;
  let serverHead: number | null = null;
  /** Why the last walk left something as it was, where the confirmed log ended then, and when that was. */
  let undecided: AnyEverfoldError | null = null;
  let walked = { at: 0, since: 0 };
  let handedOverAt = Number.NEGATIVE_INFINITY;
  let cancelWake = () => {};
  let cancelTakeOver = () => {};
  let feeding: Promise<void> = Promise.resolve();
  let walking: Promise<void> = Promise.resolve();
  /** Until when the server asked to wait. */
  let askedUntil = 0;

  const compensation = compensateIn(engine, options, report);
  const calls = nowCalls(environment, {
    leads: () => leading,
    async begin() {
      if (paused) {
        throw said("paused");
      }
      // What another tab has written is meant too, and word of it may be on its way.
      await log.catchUp();
      // What could not be decided is asked again, however short ago that was.
      walked = { at: -1, since: 0 };
      exchange.asked();
      await feed({ input: "now" });
    },
    waits: settle,
    ask: (id) => post({ kind: "now", id }),
  });
  const exchange = exchangeWith(
    engine,
    options,
    transportTo(options, environment, () => token),
    {
      head(number) {
        serverHead = number;
      },
      refused: compensation.refused,
    },
  );

  // ------------------------------------------------------------------------------------------- the replica

  /** Tells the replica one thing after the other, and begins what it answers. */
  function feed(input: SyncInput): Promise<void> {
    feeding = feeding.then(async () => {
      if (stopped) {
        return;
      }
      try {
        // What is pending is known here, answers may be older.
        const now = "pending" in input ? { ...input, pending: log.pending() } : input;
        pendingKnown = log.pending();
        const outputs = await connection.ask<readonly SyncOutput[]>((core) =>
          core.sync("replica", [JSON.stringify(now), environment.now(), environment.random()]),
        );
        outputs.forEach(perform);
      } catch (error) {
        report(error);
      }
    });
    return feeding;
  }

  function perform(output: SyncOutput): void {
    switch (output.output) {
      case "send":
        void send(output);
        break;
      case "cancel":
        requests.get(output.request)?.abort();
        requests.delete(output.request);
        break;
      case "token":
        void askForToken(output.refresh);
        break;
      case "rebase":
        // One after the other, also when a pause has ended the last one for the replica: the core asks about one commit at
        // a time, and takes what it is told next for the answer.
        walking = walking.then(() => guarded(rebase));
        break;
      case "recover":
        void guarded(recover);
        break;
      case "wake":
        cancelWake();
        cancelWake = environment.after(Math.max(0, output.at - environment.now()), () => void feed({ input: "tick" }));
        break;
      case "status":
        show({
          state: output.state,
          lastContact: output.lastContact ?? null,
          blockedBy: said(output.blockedBy),
          lastError: said(output.lastError),
          progress: null,
        });
    }
  }

  async function send(request: Extract<SyncOutput, { readonly output: "send" }>): Promise<void> {
    const { request: number, kind } = request;
    const control = new AbortController();
    requests.set(number, control);
    const applied = (what: Applied) => ({ request: number, pending: 0, rebase: isDirty(what.rebase) });
    try {
      if (kind === "tail") {
        const told = (what: Applied) => void feed({ input: "tail", event: "applied", ...applied(what) });
        await exchange.tail(control.signal, () => void feed({ input: "tail", request: number, event: "opened" }), told);
        void feed({ input: "tail", request: number, event: "closed" });
      } else {
        const answered = () => void feed({ input: "heard", request: number });
        const answer = await exchange[kind](request, control.signal, answered);
        await feed({ input: "applied", ...answer, ...applied(answer) });
      }
    } catch (error) {
      if (control.signal.aborted) {
        // Nobody waits for it.
      } else if (error instanceof RequestFailed) {
        const { status, problem, retryAfter } = error;
        errors.set(problem || (status === 0 ? "no-answer" : `http-${status}`), error.error);
        epochProblem = status === 412 ? error.text : epochProblem;
        if (kind !== "tail") {
          askedUntil = retryAfter === null ? 0 : environment.now() + retryAfter;
        }
        void feed({ input: "failed", request: number, status, problem: problem || null, retryAfter });
      } else {
        stuck(error);
      }
    } finally {
      requests.delete(number);
    }
  }

  async function askForToken(refresh: boolean): Promise<void> {
    const control = new AbortController();
    const stop = engine.onClose(() => control.abort());
    try {
      const given = await options.token({ refresh, signal: control.signal });
      if (typeof given !== "string" || given === "") {
        throw new TypeError("it returned no text");
      }
      token = given;
      void feed({ input: "token", ok: true });
    } catch (cause) {
      const reason = cause instanceof Error ? cause.message : String(cause);
      const error = new EverfoldError(
        "sync-unauthorized",
        `sync.token gave no token: ${reason}`,
        { reason },
        { cause },
      );
      errors.set("token-missing", error as AnyEverfoldError);
      void feed({ input: "token", ok: false });
    } finally {
      stop();
    }
  }

  async function rebase(): Promise<void> {
    const { refused, violated, blocked, lacking } = await walkTail(engine);
    for (const { commitId, error } of blocked) {
      errors.set("decide-failed", error);
      if (isNews(`blocked ${commitId} ${error.code}`)) {
        report(error);
      }
    }
    for (const { commitId, reason } of violated) {
      const { message = "a rule is broken" } = (reason ?? {}) as { readonly message?: string };
      if (isNews(`violated ${commitId}`)) {
        engine.report({ code: "rule-violated", message: `${commitId}: ${message}`, details: { commitId, reason } });
      }
    }
    if (refused.length > 0) {
      compensation.refused();
    }
    undecided = blocked[0]?.error ?? null;
    walked = { at: log.confirmedPosition(), since: environment.now() };
    const { rebase: again } = await state();
    await feed({ input: "rebased", pending: 0, blocked: blocked.length, rebase: isDirty(again) });
    if (lacking && environment.now() - handedOverAt > handOverEachMs) {
      handedOverAt = environment.now();
      leadership.handOver();
    }
  }

  /** Whether to walk: what the last walk could not decide stays dirty in the store, and is not asked all the time. */
  function isDirty(dirty: boolean): boolean {
    const asBefore = undecided !== null && log.confirmedPosition() === walked.at;
    return dirty && !(asBefore && environment.now() - walked.since < walkAgainMs);
  }

  async function recover(): Promise<void> {
    await log.synced<CoreProgress>(
      (core) => core.sync("recover", [epochProblem, options.recover]),
      (progress) => progress,
    );
    const { rebase: dirty } = await state();
    await feed({ input: "recovered", pending: 0, rebase: dirty });
  }

  /** What the store does for sync fails for good or for now: the replica waits. */
  async function guarded(work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (error) {
      stuck(error);
    }
  }

  function stuck(thrown: unknown): void {
    const error = errorFromCore(thrown) as AnyEverfoldError;
    if ((error.code as string) === "fenced") {
      // Another tab took over while this one was frozen.
      leadership.handOver();
    } else if (!isEverfoldError(error, "store-closed")) {
      errors.set(error.code, error);
      void feed({ input: "stuck", code: error.code });
    }
  }

  /** A store that had a history when it was opened is bound when the server is reached. */
  const state = async () =>
    (await connection.ask<CoreSyncState | null>((core) => core.sync("syncState", []))) ?? {
      ...{ cursor: null, hash: null, number: 0, pending: 0, oldestPendingAt: null, rebase: false, adopting: false },
    };

  // ------------------------------------------------------------------------------------------- the status

  function said(word: string | undefined): AnyEverfoldError | null {
    if (word === undefined || word === null) {
      return null;
    }
    const known = errors.get(word);
    return (
      known ?? (new EverfoldError("sync-unavailable", `sync waits: ${word}`, { reason: word }) as AnyEverfoldError)
    );
  }

  function progress(): LeaderStatus["progress"] {
    const { state: now } = current;
    const pending = log.pending();
    if (now !== "pushing" && now !== "pulling") {
      drainFrom = 0;
      return null;
    }
    if (pending > 0) {
      drainFrom = Math.max(drainFrom, pending);
      return { done: drainFrom - pending, total: drainFrom };
    }
    return now === "pulling" ? { done: commits, total: serverHead } : null;
  }

  function show(next: LeaderStatus): void {
    const { blockedBy, lastContact } = next;
    if (lastContact !== current.lastContact) {
      told = undefined;
    }
    if (blockedBy !== null && blockedBy.code !== told) {
      told = blockedBy.code;
      report(blockedBy);
    }
    // Also when the replica has other things to do.
    const blocks = blockedBy ?? (leading ? undecided : null);
    current = { ...next, blockedBy: blocks, state: blocks !== null && next.state === "idle" ? "blocked" : next.state };
    tell();
    if (leading) {
      shout();
    }
    settle();
  }

  function tell(): void {
    listeners.tell(status());
  }

  function status(): SyncStatus {
    const oldestPendingMs = oldestPendingAt === null ? null : Math.max(0, environment.now() - oldestPendingAt);
    return {
      ...current,
      progress: leading ? progress() : current.progress,
      state: paused ? "offline" : current.state,
      pending: log.pending(),
      oldestPendingMs,
      confirmedPosition: log.confirmedPosition(),
      commits,
      hash: chain,
      leader: leading,
    };
  }

  /** Answers who waits for `now`, if it has come to an end. */
  function settle(): void {
    const { state: now, blockedBy, lastError } = current;
    if (now === "idle" && log.pending() === 0) {
      calls.settle(null);
    } else if (now === "offline" && environment.now() < askedUntil && !paused) {
      // It goes on by itself then.
    } else if (now === "idle" || now === "blocked" || now === "offline" || now === "off") {
      calls.settle(blockedBy ?? lastError ?? said(now === "idle" ? `${log.pending()} commits are pending still` : now));
    }
  }

  /** What only the store knows: how old the oldest work is. */
  async function look(): Promise<void> {
    const { oldestPendingAt: oldest, number, hash, cursor } = await state();
    const news = oldest !== oldestPendingAt || number !== commits;
    oldestPendingAt = oldest;
    [commits, chain] = [number, cursor === null ? null : hash];
    if (news) {
      tell();
      if (leading) {
        shout();
      }
    }
    if (oldest !== null && environment.now() - oldest > dayMs) {
      const days = Math.floor((environment.now() - oldest) / dayMs);
      const message = `${log.pending()} commits wait for the server, the first since ${days} days`;
      if (leading && isNews(`old ${oldest}`)) {
        engine.report({ code: "pending-old", message, details: { pending: log.pending(), since: oldest } });
      }
    }
  }

  function report(thrown: unknown): void {
    const problem = stopped ? undefined : problemOf(thrown);
    if (problem !== undefined) {
      engine.report(problem);
    }
  }

  /** Whether this is said for the first time. */
  function isNews(what: string): boolean {
    const before = reported.size;
    return reported.add(what).size > before;
  }

  // ------------------------------------------------------------------------------------------- the tabs

  function post(message: Message): void {
    if (!stopped) {
      channel?.post(message);
    }
  }

  function shout(): void {
    const { blockedBy, lastError } = current;
    const plain = {
      ...{ ...current, progress: progress() },
      ...{ blockedBy: plainError(blockedBy), lastError: plainError(lastError) },
    };
    post({ kind: "leading", by: own, status: plain, paused });
  }

  channel?.onMessage((message) => {
    const said = message as Message;
    switch (said.kind) {
      case "leading":
        leadership.heard();
        if (!leading) {
          setPaused(said.paused);
          current = {
            ...said.status,
            blockedBy: errorOf(said.status.blockedBy),
            lastError: errorOf(said.status.lastError),
          };
          tell();
        }
        calls.heard(said.by);
        break;
      case "hello":
        if (leading) {
          shout();
        }
        break;
      case "now":
        if (leading) {
          const { id } = said;
          calls.add({
            resolve: () => post({ kind: "done", id, error: null }),
            reject: (error) => post({ kind: "done", id, error: plainError(errorFromCore(error) as AnyEverfoldError) }),
          });
        }
        break;
      case "done":
        calls.answered(said.id, said.error);
        break;
      case "pause":
        setPaused(said.paused);
        break;
      case "dismissed":
        heardDismissal = true;
        engine.dismissed.tell();
        heardDismissal = false;
    }
  });
  let heardDismissal = false;

  async function begin(): Promise<void> {
    const { pending, rebase: dirty, cursor, adopting } = await state();
    if (!leading) {
      // Another tab has taken the lead away meanwhile.
      return;
    }
    const { live, batchSize } = options;
    const { online } = environment.surroundings();
    void feed({ input: "start", pending, rebase: dirty, bound: cursor !== null && !adopting, live, batch: batchSize });
    void feed({ input: "online", on: online });
    if (paused) {
      void feed({ input: "pause" });
    }
    void feed({ input: "leading", on: true });
    await look();
    compensation.begin();
  }

  /** Nobody else can lead while this tab holds the lock: it tries until it does. */
  async function takeOver(): Promise<void> {
    try {
      await connection.call((core) => core.sync("lead", []));
      await begin();
    } catch (error) {
      stuck(error);
      if (leading) {
        cancelTakeOver = environment.after(takeOverEachMs, () => void takeOver());
      }
    }
  }

  const leadership = standForLeader(environment, `${engine.lockPrefix}/sync`, {
    lead() {
      leading = true;
      // What the one before has told says nothing of this one.
      current = { ...current, state: "connecting" };
      void takeOver();
      calls.turn();
    },
    follow() {
      leading = false;
      cancelTakeOver();
      exchange.stop();
      void feed({ input: "leading", on: false });
      calls.turn();
      tell();
    },
    beat() {
      shout();
      void look().catch(() => undefined);
    },
  });

  const ends = [
    environment.onSurroundings(() => {
      const { online, visible } = environment.surroundings();
      void feed({ input: "online", on: online });
      void feed({ input: "visible", on: visible });
    }),
    log.onChange(() => {
      if (log.pending() > pendingKnown && leading) {
        void feed({ input: "committed", pending: 0 });
      }
      pendingKnown = log.pending();
      void look().catch(() => undefined);
      tell();
    }),
    engine.dismissed.add(() => {
      if (!heardDismissal) {
        post({ kind: "dismissed" });
      }
    }),
  ];
  post({ kind: "hello" });
  // What the log says is known here, whoever leads.
  void look().catch(() => undefined);

  function setPaused(next: boolean): void {
    if (paused !== next) {
      paused = next;
      void feed({ input: next ? "pause" : "resume" });
      tell();
    }
  }

  return {
    status,
    onStatus: listeners.add,
    now(signal) {
      if (signal?.aborted || stopped) {
        return Promise.reject(signal?.aborted ? aborted(signal) : storeClosed(engine.name));
      }
      return new Promise((resolve, reject) => {
        const stop = engine.onClose(() => reject(storeClosed(engine.name)));
        signal?.addEventListener("abort", () => reject(aborted(signal)), { once: true });
        const end = (then: () => void) => {
          stop();
          then();
        };
        // Another tab that leads has it in the store, and this one has not looked yet.
        const see = () => (leading ? resolve() : void log.catchUpAsOwn().then(resolve, reject));
        calls.add({ resolve: () => end(see), reject: (error) => end(() => reject(error)) });
      });
    },
    pause(next) {
      setPaused(next);
      post({ kind: "pause", paused: next });
    },
    reopened() {
      if (leading) {
        void guarded(begin);
      }
    },
    async stop() {
      stopped = true;
      cancelWake();
      cancelTakeOver();
      exchange.stop();
      for (const control of requests.values()) {
        control.abort();
      }
      leadership.stop();
      for (const end of ends) {
        end();
      }
      channel?.close();
      await feeding;
    },
  };
}
