/**
 * Group commit: whatever calls are waiting go into one transaction.
 *
 * A transaction is the unit of cost (about a millisecond, however much is in it), so the calls that
 * wait are decided one after another, each on the state that those before it would leave, and written
 * together; while a group is on its way the next one gathers. Each call has its own outcome: one that
 * fails does not fail its neighbours, and those that were decided on it are decided again. Nothing
 * resolves before the core has seen the transaction complete.
 */
import type { CoreOutcome } from "./core/writing.js";
import { EverfoldError, errorFromCore, isEverfoldError } from "./errors.js";
import type { Log } from "./log.js";
import type { Slot, States } from "./states.js";
import { refusedError } from "./sync/refusals.js";
import type { Loaded } from "./types.js";

/** What a commit will have done to one state. */
export interface Advance {
  readonly states: States;
  readonly slot: Slot;
  readonly from: number;
  readonly to: Loaded<unknown>;
}

/** A commit, ready to be written. */
export interface PreparedCommit {
  /** A `CoreNewCommit`. */
  readonly text: string;
  readonly events: number;
  readonly advances: readonly Advance[];
}

/** A commit that is on disk. */
export type Appended = Extract<CoreOutcome, { readonly streams: unknown }>;
type Conflict = Extract<CoreOutcome, { readonly status: "conflict" }>;

/** One call that wants to commit. */
export interface Job {
  readonly commitId: string;
  /** Given by the caller: then it may be on disk already. */
  readonly known: boolean;
  readonly content: string;
  /** The states that it decides on; they are in memory when `prepare` is called. */
  readonly reads: readonly { readonly states: States; readonly streamId: string }[];
  /**
   * Decides, on each slot's `tip` if it has one. What it throws is the call's error; that and
   * "nothing" only count when they were decided on what is on disk, other tabs' writes included:
   * until then it is asked again.
   */
  prepare(slots: readonly Slot[]): PreparedCommit | "nothing";
  /** The core saw a conflict: the call's error, or undefined to decide again. */
  conflict(conflict: Conflict): EverfoldError | undefined;
  appended(outcome: Appended): void;
  /** There was nothing to write. */
  nothing(): void;
  fail(error: unknown): void;
}

export interface GroupCommit {
  submit(job: Job): void;
  /** Has `settled` wait for work that does not go through a group. */
  alongside<T>(work: Promise<T>): Promise<T>;
  /** Resolves when everything that was begun before has ended. */
  settled(): Promise<void>;
}

/** A group ends at these, so that one transaction stays small and its text too. */
const maxCommits = 2_048;
const maxEvents = 4_096;
const maxCharacters = 4_000_000;

interface Waiting {
  readonly job: Job;
  /** Counts what was begun. */
  readonly place: number;
  /** Something it needs is on its way. */
  held: boolean;
  /** What other tabs wrote was looked at since it was asked. */
  fresh: boolean;
  /** Decided on its own: its group was too large for the quota. */
  readonly alone: boolean;
}

interface Member {
  readonly waiting: Waiting;
  readonly commit: PreparedCommit;
}

/** When so many single commits in a row do not fit, the rest of their group is not tried. */
const quotaPatience = 4;

/** `statesOf` finds what is kept of a stream, by every definition that is registered for it. */
export function groupCommits(log: Log, statesOf: (streamId: string) => readonly States[]): GroupCommit {
  let queue: Waiting[] = [];
  let running = false;
  let quotaFailures = 0;
  let begun = 0;
  /** The group that is being written. */
  let writing: readonly Member[] = [];
  /** What is under way beside the queue, by its place. */
  const beside = new Set<number>();
  let whenSettled: { readonly upTo: number; resolve(): void }[] = [];

  function start(): void {
    if (!running) {
      running = true;
      queueMicrotask(run);
    }
  }

  async function run(): Promise<void> {
    for (;;) {
      const group = form();
      if (group.length === 0) {
        break;
      }
      writing = group;
      await write(group);
      writing = [];
      tellSettled();
      // Those whose calls have just resolved get the chance to ask again before the next group is formed.
      for (let turn = 0; turn < 4; turn += 1) {
        await undefined;
      }
    }
    running = false;
    tellSettled();
  }

  function tellSettled(): void {
    if (whenSettled.length === 0) {
      return;
    }
    const open = [...queue, ...writing.map(({ waiting }) => waiting)].map(({ place }) => place);
    const first = [...open, ...beside].reduce((one, other) => Math.min(one, other), Number.POSITIVE_INFINITY);
    for (const { upTo, resolve } of whenSettled) {
      if (upTo < first) {
        resolve();
      }
    }
    whenSettled = whenSettled.filter(({ upTo }) => upTo >= first);
  }

  /** Takes from the queue what can be decided now, in its order. */
  function form(): Member[] {
    const group: Member[] = [];
    const later: Waiting[] = [];
    let events = 0;
    let characters = 0;
    let full = false;
    for (const waiting of queue) {
      full ||= group.length >= maxCommits || events >= maxEvents || characters >= maxCharacters;
      const slots = full || waiting.held || (waiting.alone && group.length > 0) ? undefined : slotsOf(waiting);
      if (slots === undefined) {
        later.push(waiting);
        continue;
      }
      const prepared = prepare(waiting, slots);
      if (prepared === "later") {
        later.push(waiting);
      } else if (prepared !== undefined) {
        for (const { slot, to } of prepared.advances) {
          slot.tip = to;
        }
        group.push({ waiting, commit: prepared });
        events += prepared.events;
        characters += prepared.text.length;
        full = waiting.alone;
      }
    }
    queue = later;
    return group;
  }

  /** The slots that a call decides on, or undefined while they are loaded. */
  function slotsOf(waiting: Waiting): readonly Slot[] | undefined {
    const { reads } = waiting.job;
    const slots: Slot[] = [];
    for (const { states, streamId } of reads) {
      const slot = states.ready(streamId);
      if (slot === undefined) {
        hold(waiting, Promise.all(reads.map((read) => read.states.load(read.streamId))));
        return undefined;
      }
      slots.push(slot);
    }
    return slots;
  }

  /** Leaves a call out until `until` resolves; if it rejects, that is the call's error. */
  function hold(waiting: Waiting, until: Promise<unknown>): void {
    waiting.held = true;
    until.then(
      () => {
        waiting.held = false;
        start();
      },
      (error: unknown) => {
        queue = queue.filter((other) => other !== waiting);
        waiting.job.fail(error);
        tellSettled();
      },
    );
  }

  function prepare(waiting: Waiting, slots: readonly Slot[]): PreparedCommit | "later" | undefined {
    const { job } = waiting;
    let give: () => void;
    try {
      const prepared = job.prepare(slots);
      if (prepared !== "nothing") {
        return prepared;
      }
      give = () => job.nothing();
    } catch (error) {
      give = () => job.fail(error);
    }
    // What is still on its way may fail: "no" and "nothing to do" would answer what never happened.
    if (slots.some((slot) => slot.tip !== undefined)) {
      return "later";
    }
    // And another tab may have written what changes the answer.
    if (!waiting.fresh) {
      waiting.fresh = true;
      hold(waiting, log.catchUp());
      return "later";
    }
    end(waiting, give);
    return undefined;
  }

  /**
   * Ends a call that writes nothing. If its id was given, it may have been written before and only
   * fails because of what happened since: then the first receipt is the answer.
   */
  function end({ job, place }: Waiting, give: () => void): void {
    if (!job.known) {
      give();
      return;
    }
    const lookUp = log
      .outcome(job.commitId, job.content)
      .then((outcome) => {
        if (outcome?.status === "failed") {
          job.fail(errorFromCore(outcome.error, { commitId: job.commitId }));
        } else if (outcome?.status === "refused") {
          job.fail(refusedError(outcome));
        } else if (outcome !== null && "streams" in outcome) {
          job.appended({ ...outcome, status: "duplicate" });
        } else {
          give();
        }
      })
      .catch((error: unknown) => job.fail(error));
    void alongside(lookUp, place);
  }

  function alongside<T>(work: Promise<T>, place: number): Promise<T> {
    beside.add(place);
    return work.finally(() => {
      beside.delete(place);
      tellSettled();
    });
  }

  async function write(group: readonly Member[]): Promise<void> {
    let outcomes: readonly CoreOutcome[];
    try {
      ({ outcomes } = await log.append(`[${group.map((member) => member.commit.text).join(",")}]`));
    } catch (error) {
      dropTips(group);
      onFailure(group, error);
      return;
    }
    quotaFailures = 0;
    dropTips(group);
    const touched = new Set<string>();
    const undecided: Waiting[] = [];
    for (const [index, member] of group.entries()) {
      try {
        if (!settle(member, outcomes[index], touched)) {
          undecided.push(member.waiting);
        }
      } catch (error) {
        // A mistake of ours must not leave the calls after it without an answer.
        member.waiting.job.fail(error);
      }
    }
    again(undecided);
    log.grown(touched);
  }

  /** Tells a call what became of its commit. False: it has to be decided again. */
  function settle({ waiting, commit }: Member, outcome: CoreOutcome | undefined, touched: Set<string>): boolean {
    const { job } = waiting;
    if (outcome === undefined) {
      job.fail(new EverfoldError("wasm-failed", "the engine gave no outcome for a commit", {}));
    } else if ("streams" in outcome) {
      if (outcome.status === "appended") {
        keep(commit.advances, outcome, touched);
      }
      job.appended(outcome);
    } else if (outcome.status === "failed") {
      job.fail(errorFromCore(outcome.error, { commitId: job.commitId }));
    } else if (outcome.status === "stale") {
      return false;
    } else {
      for (const states of statesOf(outcome.streamId)) {
        states.written(outcome.streamId, outcome.actual);
      }
      const error = job.conflict(outcome);
      if (error === undefined) {
        return false;
      }
      end(waiting, () => job.fail(error));
    }
    return true;
  }

  function onFailure(group: readonly Member[], error: unknown): void {
    const noRoom = isEverfoldError(error, "quota-exceeded");
    if (noRoom && group.length > 1) {
      again(group.map(({ waiting }) => ({ ...waiting, alone: true })));
      return;
    }
    for (const { waiting } of group) {
      waiting.job.fail(error);
    }
    quotaFailures += noRoom ? 1 : 0;
    if (quotaFailures >= quotaPatience) {
      quotaFailures = 0;
      const rest = queue.filter(({ alone }) => alone);
      queue = queue.filter(({ alone }) => !alone);
      for (const { job } of rest) {
        job.fail(error);
      }
    }
  }

  /** Takes over what a commit did to the states that are kept. */
  function keep(advances: readonly Advance[], outcome: Appended, touched: Set<string>): void {
    for (const { states, slot, from, to } of advances) {
      states.advance(slot, from, to, outcome.position > log.confirmedPosition());
    }
    for (const { streamId, lastVersion } of outcome.streams) {
      touched.add(streamId);
      for (const states of statesOf(streamId)) {
        states.written(streamId, lastVersion);
      }
    }
  }

  function again(waiting: readonly Waiting[]): void {
    if (waiting.length > 0) {
      queue = [...waiting, ...queue];
    }
  }

  return {
    submit(job) {
      begun += 1;
      queue.push({ job, place: begun, held: false, fresh: false, alone: false });
      start();
    },
    alongside(work) {
      begun += 1;
      return alongside(work, begun);
    },
    settled() {
      return new Promise((resolve) => {
        whenSettled.push({ upTo: begun, resolve });
        tellSettled();
      });
    },
  };
}

function dropTips(group: readonly Member[]): void {
  for (const { commit } of group) {
    for (const { slot } of commit.advances) {
      slot.tip = undefined;
    }
  }
}
