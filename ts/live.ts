/**
 * Live results: what a user interface shows and wants to see change.
 *
 * `current` keeps its reference until the result differs, and the parts of a result that did not
 * change keep theirs, so that a list of a thousand rows redraws one. A live result follows the store
 * while somebody subscribes. Without, reading `current` makes it ask, for the next reading: it needs no
 * disposing then, and who polls sees the changes too.
 */
import { type AnyEverfoldError, errorFromCore } from "./errors.js";
import { isPlain } from "./json.js";
import { listenerSet } from "./listeners.js";
import type { Live, LiveState } from "./types.js";

/** What a live result is made of. */
export interface LiveSource<T> {
  /** Asks for the result. */
  load(): Promise<T>;
  /** Calls `changed` when the result may differ now. Returns what ends it. */
  follow(changed: () => void): () => void;
}

const loading = Object.freeze({ status: "loading" });

/** Makes a live result. It does nothing yet. */
export function liveResult<T>(source: LiveSource<T>): Live<T> {
  const listeners = listenerSet<LiveState<T>>();
  let current: LiveState<T> = loading as LiveState<T>;
  let stopFollowing: (() => void) | undefined;
  let asking = false;
  let askAgain = false;
  let disposed = false;

  async function ask(): Promise<void> {
    if (asking) {
      askAgain = true;
      return;
    }
    asking = true;
    do {
      askAgain = false;
      let next: LiveState<T>;
      try {
        next = ready(await source.load());
      } catch (error) {
        next = { status: "failed", error: errorFromCore(error) as AnyEverfoldError };
      }
      if (!disposed) {
        show(next);
      }
    } while (askAgain && !disposed);
    asking = false;
  }

  function ready(value: T): LiveState<T> {
    const shared = current.status === "ready" ? shareParts(current.value, value) : value;
    return current.status === "ready" && Object.is(current.value, shared)
      ? current
      : { status: "ready", value: shared };
  }

  function show(next: LiveState<T>): void {
    if (next !== current) {
      current = next;
      listeners.tell(next);
    }
  }

  function rest(): void {
    if (!listeners.any()) {
      stopFollowing?.();
      stopFollowing = undefined;
    }
  }

  function dispose(): void {
    disposed = true;
    listeners.clear();
    rest();
  }

  const live = {
    get current() {
      if (stopFollowing === undefined && !asking && !disposed) {
        void ask();
      }
      return current;
    },
    subscribe(listener: (state: LiveState<T>) => void) {
      if (disposed) {
        return () => undefined;
      }
      const remove = listeners.add(listener);
      if (stopFollowing === undefined) {
        stopFollowing = source.follow(() => void ask());
        void ask();
      }
      return () => {
        remove();
        rest();
      };
    },
    dispose,
  };
  return withDispose(live, dispose);
}

/** Adds `[Symbol.dispose]` where the browser has it. */
export function withDispose<T extends object>(target: T, dispose: () => void): T & Disposable {
  const symbol: typeof Symbol.dispose | undefined = Symbol.dispose;
  if (symbol !== undefined) {
    Object.defineProperty(target, symbol, { value: dispose });
  }
  return target as T & Disposable;
}

/** `next`, with every part that equals the one of `previous` replaced by that; `previous` itself if all do. */
export function shareParts<T>(previous: T, next: T): T {
  if (Object.is(previous, next) || !isComposite(previous) || !isComposite(next)) {
    return Object.is(previous, next) ? previous : next;
  }
  if (Object.isFrozen(next) || Array.isArray(previous) !== Array.isArray(next)) {
    return next;
  }
  const names = Object.keys(next);
  const old = previous as Record<string, unknown>;
  const fresh = next as Record<string, unknown>;
  let same = names.length === Object.keys(previous).length;
  for (const name of names) {
    const shared = shareParts(old[name], fresh[name]);
    same &&= Object.is(shared, old[name]) && name in old;
    fresh[name] = shared;
  }
  return same ? previous : next;
}

/** Of anything else, as of a Map, nobody can tell by its properties whether it is equal. */
function isComposite(value: unknown): value is object {
  return Array.isArray(value) || isPlain(value);
}
