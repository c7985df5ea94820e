/**
 * What the run time takes from the outside and a test replaces: the clock, chance, and for sync the network, timers
 * and what tabs share.
 */

import type { Core } from "./core.js";

/** The outside of one engine. */
export interface Environment {
  /** Milliseconds since the epoch. */
  now(): number;
  /** A new id for a commit or a replica, never seen before. */
  newId(): string;
  /** Hears of each instance of the core that the engine opens: a test makes its storage fail. */
  readonly coreOpened?: ((core: Core) => void) | undefined;
  /** From 0 to below 1. */
  random(): number;
  fetch(address: string, init: RequestInit): Promise<Response>;
  /** Runs once, so many milliseconds later. Returns what calls it off. */
  after(ms: number, run: () => void): () => void;
  /** Whether the browser says that there is a network, and that somebody looks. */
  surroundings(): Surroundings;
  /** Calls `changed` when either did. Returns what ends it. */
  onSurroundings(changed: () => void): () => void;
  /** Web Locks; undefined where there are none. */
  locks(): Pick<LockManager, "request"> | undefined;
  /** What the tabs of a store hear of each other; undefined where there is nothing. */
  channel(name: string): Channel | undefined;
}

/** What the driver of sync is told of where it runs. */
export interface Surroundings {
  readonly online: boolean;
  readonly visible: boolean;
}

/** A `BroadcastChannel`, as far as it is used. */
export interface Channel {
  post(message: unknown): void;
  onMessage(listener: (message: unknown) => void): void;
  close(): void;
}

/** The real one. */
export const realEnvironment: Environment = {
  now: () => Date.now(),
  newId: randomId,
  random: () => Math.random(),
  fetch: (address, init) => fetch(address, init),
  after(ms, run) {
    const timer = setTimeout(run, ms);
    return () => clearTimeout(timer);
  },
  surroundings: () => ({
    online: typeof navigator === "undefined" || navigator.onLine !== false,
    visible: typeof document === "undefined" || document.visibilityState === "visible",
  }),
  onSurroundings(changed) {
    const page = globalOf("document");
    const window = globalOf("window");
    const heard = [
      [page, "visibilitychange"],
      [page, "resume"],
      [window, "pageshow"],
      [window, "online"],
      [window, "offline"],
    ] as const;
    for (const [target, type] of heard) {
      target?.addEventListener(type, changed);
    }
    return () => {
      for (const [target, type] of heard) {
        target?.removeEventListener(type, changed);
      }
    };
  },
  locks: () => (typeof navigator === "undefined" ? undefined : navigator.locks),
  channel(name) {
    if (typeof BroadcastChannel !== "function") {
      return undefined;
    }
    const channel = new BroadcastChannel(name);
    // In Node an open channel would keep the process alive.
    (channel as { unref?: () => void }).unref?.();
    return {
      post: (message) => channel.postMessage(message),
      onMessage: (listener) => channel.addEventListener("message", ({ data }) => listener(data)),
      close: () => channel.close(),
    };
  },
};

function globalOf(name: string): EventTarget | undefined {
  return (globalThis as Record<string, unknown>)[name] as EventTarget | undefined;
}

const alphabet = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz-";
const idLength = 20;
const pool = new Uint8Array(idLength * 100);
let used = pool.length;

/**
 * 120 random bits in 20 characters. `crypto.randomUUID` is missing outside of secure contexts and
 * spends 36 characters on 122 bits, which every commit would store.
 */
function randomId(): string {
  if (used === pool.length) {
    crypto.getRandomValues(pool);
    used = 0;
  }
  let id = "";
  for (let end = used + idLength; used < end; used += 1) {
    id += alphabet[(pool[used] as number) & 63];
  }
  return id;
}
