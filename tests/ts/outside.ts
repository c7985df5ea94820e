/**
 * The outside of engines under a test's control: time, the network's and the page's state, locks and channels that tabs
 * share. Nothing waits for real time.
 */
import type { Channel, Environment } from "../../ts/environment.js";
import { fakeClock, seededIds } from "../../ts/testing/clock.js";

/** What the tabs of one browser share. */
export interface Browser {
  readonly clock: ReturnType<typeof fakeClock>;
  /** Lets time pass: timers that become due run, in their order. */
  pass(ms: number): Promise<void>;
  /** A tab of it. */
  tab(fetch?: Environment["fetch"]): Tab;
}

export interface Tab extends Environment {
  set(surroundings: { online?: boolean; visible?: boolean }): void;
  /** Neither its timers run nor hears it anything. */
  freeze(frozen: boolean): void;
}

interface Timer {
  readonly at: number;
  readonly tab: object;
  run(): void;
}

/** Lets what was begun go on as far as it can without time. */
export async function settled(): Promise<void> {
  for (let turn = 0; turn < 12; turn += 1) {
    await new Promise((resolve) => setImmediate(resolve));
  }
}

/** Of all browsers: no two tabs make the same ids. */
let tabs = 0;

export function browser(start?: number): Browser {
  const clock = fakeClock(start);
  const timers = new Set<Timer>();
  const frozen = new Set<object>();
  const channels = new Map<string, Set<{ readonly tab: object; hear(message: unknown): void }>>();
  const locks = fakeLocks();

  return {
    clock,
    async pass(ms) {
      const end = clock.now() + ms;
      for (;;) {
        await settled();
        const due = [...timers]
          .filter(({ at, tab }) => at <= end && !frozen.has(tab))
          .sort((one, other) => one.at - other.at)[0];
        if (due === undefined) {
          break;
        }
        timers.delete(due);
        clock.set(Math.max(clock.now(), due.at));
        due.run();
      }
      clock.set(end);
      await settled();
    },
    tab(fetch = () => Promise.reject(new TypeError("no network"))) {
      let surroundings = { online: true, visible: true };
      const changed = new Set<() => void>();
      const random = seededRandom(++tabs);
      const tab: Tab = {
        now: clock.now,
        newId: seededIds(tabs),
        random,
        fetch: (address, init) => fetch(address, init),
        after(ms, run) {
          const timer = { at: clock.now() + ms, tab, run };
          timers.add(timer);
          return () => timers.delete(timer);
        },
        surroundings: () => surroundings,
        onSurroundings(listener) {
          changed.add(listener);
          return () => changed.delete(listener);
        },
        locks: () => locks as unknown as Pick<LockManager, "request">,
        channel(name): Channel {
          const members = channels.get(name) ?? new Set();
          channels.set(name, members);
          let listener: (message: unknown) => void = () => undefined;
          const member = { tab, hear: (message: unknown) => listener(message) };
          members.add(member);
          return {
            post(message) {
              if (!members.has(member)) {
                throw new DOMException("the channel is closed", "InvalidStateError");
              }
              const copy = structuredClone(message);
              for (const other of members) {
                if (other !== member && !frozen.has(other.tab)) {
                  queueMicrotask(() => other.hear(copy));
                }
              }
            },
            onMessage(hear) {
              listener = hear;
            },
            close: () => void members.delete(member),
          };
        },
        set(next) {
          surroundings = { ...surroundings, ...next };
          for (const listener of changed) {
            listener();
          }
        },
        freeze: (isFrozen) => void (isFrozen ? frozen.add(tab) : frozen.delete(tab)),
      };
      return tab;
    },
  };
}

/** Web Locks, exclusive ones. */
function fakeLocks() {
  const queues = new Map<string, { grant(): void; steal(): void }[]>();

  return {
    request(name: string, options: LockOptions, work: (lock: object) => Promise<unknown>): Promise<unknown> {
      const queue = queues.get(name) ?? [];
      queues.set(name, queue);
      return new Promise((resolve, reject) => {
        const leave = () => {
          const place = queue.indexOf(entry);
          if (place >= 0) {
            queue.splice(place, 1);
            if (place === 0) {
              queue[0]?.grant();
            }
          }
        };
        const entry = {
          grant() {
            Promise.resolve(work({ name })).then(
              (result) => {
                resolve(result);
                leave();
              },
              (error) => {
                reject(error);
                leave();
              },
            );
          },
          steal() {
            reject(new DOMException("stolen", "AbortError"));
          },
        };
        options.signal?.addEventListener("abort", () => {
          if (queue.indexOf(entry) > 0) {
            leave();
            reject(options.signal?.reason);
          }
        });
        if (options.steal) {
          queue.shift()?.steal();
          queue.unshift(entry);
          entry.grant();
        } else if (queue.push(entry) === 1) {
          queueMicrotask(entry.grant);
        }
      });
    },
  };
}

function seededRandom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) & 0x7fffffff;
    return state / 0x80000000;
  };
}
