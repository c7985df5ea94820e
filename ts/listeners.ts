/**
 * Functions that want to hear of something.
 */

export interface ListenerSet<T> {
  /** Each call adds one, even of the same function. Returns what removes it. */
  add(listener: (news: T) => void): () => void;
  /** Calls each; one that throws is reported as an uncaught error and does not disturb the others. */
  tell(news: T): void;
  any(): boolean;
  clear(): void;
}

export function listenerSet<T>(): ListenerSet<T> {
  const entries = new Set<{ readonly listener: (news: T) => void }>();
  return {
    add(listener) {
      const entry = { listener };
      entries.add(entry);
      return () => entries.delete(entry);
    },
    tell(news) {
      for (const entry of [...entries]) {
        if (entries.has(entry)) {
          callListener(entry.listener, news);
        }
      }
    },
    any: () => entries.size > 0,
    clear: () => entries.clear(),
  };
}

/** Calls a function of the user's that answers nothing, as the browser calls an event listener. */
export function callListener<T>(listener: (news: T) => void, news: T): void {
  try {
    listener(news);
  } catch (error) {
    if (typeof reportError === "function") {
      reportError(error);
    } else {
      console.error(error);
    }
  }
}
