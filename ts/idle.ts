/**
 * Work that waits until the page has nothing better to do: one task at a time, each when idle.
 *
 * A task that fails says so itself; here it only must not stop the next one.
 */

export interface IdleWork {
  /** Puts off `task`. One with the same key that has not begun is replaced. */
  later(key: string, task: () => Promise<void>): void;
  /** The same for what the page's start does not need: not before it had the time to show what it shows first. */
  afterStart(key: string, task: () => Promise<void>): void;
  /** Waits for the next idle moment, between two steps of a task. */
  turn(): Promise<void>;
  /** Somebody waits for long work: nothing is idle until the returned function is called. */
  hold(): () => void;
  /** Drops what has not begun. */
  stop(): void;
}

const patienceMs = 1_000;
/** So long a page that has just been opened is left alone: loads took a tenth longer beside what was fetched for later. */
const startMs = 1_000;
/** Browsers without `requestIdleCallback` (Safari) and Node just wait a little. */
const pauseMs = 30;

export function idleWork(): IdleWork {
  const tasks = new Map<string, () => Promise<void>>();
  let running = false;
  let held = 0;
  let waiting: (() => void)[] = [];
  const starts: ReturnType<typeof setTimeout>[] = [];

  async function turn(): Promise<void> {
    do {
      while (held > 0) {
        await new Promise<void>((resolve) => waiting.push(resolve));
      }
      await untilIdle();
    } while (held > 0);
  }

  async function run(): Promise<void> {
    running = true;
    while (tasks.size > 0) {
      await turn();
      for (const [key, task] of tasks) {
        tasks.delete(key);
        await task().catch(() => undefined);
        break;
      }
    }
    running = false;
  }

  function later(key: string, task: () => Promise<void>): void {
    tasks.set(key, task);
    if (!running) {
      void run();
    }
  }

  return {
    later,
    afterStart(key, task) {
      starts.push(setTimeout(later, startMs, key, task));
    },
    turn,
    hold() {
      held += 1;
      return once(() => {
        held -= 1;
        if (held === 0) {
          const resumed = waiting;
          waiting = [];
          for (const resume of resumed) {
            resume();
          }
        }
      });
    },
    stop() {
      starts.forEach(clearTimeout);
      tasks.clear();
    },
  };
}

function once(action: () => void): () => void {
  let done = false;
  return () => {
    if (!done) {
      done = true;
      action();
    }
  };
}

function untilIdle(): Promise<void> {
  return new Promise((resolve) => {
    if (typeof requestIdleCallback === "function") {
      requestIdleCallback(() => resolve(), { timeout: patienceMs });
    } else {
      setTimeout(resolve, pauseMs);
    }
  });
}
