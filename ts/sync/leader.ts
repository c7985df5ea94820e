/**
 * One tab leads: it holds a Web Lock, and says so every two seconds.
 *
 * A frozen tab keeps its lock, so a tab that hears nothing for ten seconds takes it away. The frozen one may wake up and
 * go on before it learns of that: what it writes then is refused by the fence in the store.
 */
import type { Environment } from "../environment.js";

export interface Leadership {
  /** Lets a tab that waits lead; leads again when that one stops. */
  handOver(): void;
  /** The leader was heard. */
  heard(): void;
  stop(): void;
}

/** What a tab does with it. */
export interface Candidate {
  /** It leads from now on. */
  lead(): void;
  /** It does not any more. */
  follow(): void;
  /** Tells the others that it is there. Called every two seconds while it leads. */
  beat(): void;
}

const beatMs = 2_000;
/** Ten seconds, counted in beats: the clock may be set, and all tabs sleep with the device. */
const silentBeats = 5;

export function standForLeader(environment: Environment, name: string, candidate: Candidate): Leadership {
  const locks = environment.locks() ?? locksOfPage;
  let release: (() => void) | undefined;
  let waiting: AbortController | undefined;
  /** Since the leader was heard. */
  let beats = 0;
  let stopped = false;
  let stopStanding = () => {};
  let stopBeating = environment.after(beatMs, beat);

  function stand(options: LockOptions = {}): void {
    waiting?.abort();
    const own = new AbortController();
    waiting = own;
    let hold: (() => void) | undefined;
    const until = () =>
      new Promise<void>((resolve) => {
        if (stopped || own.signal.aborted) {
          resolve();
          return;
        }
        hold = () => {
          release = undefined;
          candidate.follow();
          resolve();
        };
        release = hold;
        candidate.lead();
        candidate.beat();
      });
    const ended = () => {
      if (hold !== undefined && release === hold) {
        // Taken away.
        hold();
      }
      if (!stopped && waiting === own) {
        beats = 0;
        // Not at once where locks are refused: they would be for ever.
        if (hold === undefined) {
          stopStanding = environment.after(beatMs, stand);
        } else {
          stand();
        }
      }
    };
    // A request that steals takes no signal.
    locks.request(name, options.steal ? options : { ...options, signal: own.signal }, until).then(ended, ended);
  }

  function beat(): void {
    stopBeating = environment.after(beatMs, beat);
    if (release !== undefined) {
      candidate.beat();
    } else if (++beats > silentBeats && environment.surroundings().visible) {
      beats = 0;
      stand({ steal: true });
    }
  }

  stand();
  return {
    handOver: () => release?.(),
    heard() {
      beats = 0;
    },
    stop() {
      stopped = true;
      stopBeating();
      stopStanding();
      waiting?.abort();
      release?.();
    },
  };
}

const queues = new Map<string, Promise<unknown>>();

/** Without Web Locks all tabs that see a store are in this page: they take turns. */
const locksOfPage = {
  request(name: string, { signal, steal }: LockOptions, work: () => Promise<void>): Promise<void> {
    const before = (!steal && queues.get(name)) || Promise.resolve();
    const turn = before.then(() => (signal?.aborted ? undefined : work()));
    queues.set(
      name,
      turn.catch(() => undefined),
    );
    return turn;
  },
};
