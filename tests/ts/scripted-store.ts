/**
 * A store whose live results say what the test says, and that counts who listens.
 */
import type { AnyStore, Live, LiveState } from "../../ts/types.js";

/** One live result under the test's control. */
export interface Script {
  readonly what: string;
  listeners: number;
  say(state: LiveState<unknown>): void;
}

/** A store and the results it was asked for, in order. */
export function scriptedStore(): { readonly store: AnyStore; readonly scripts: Script[] } {
  const scripts: Script[] = [];

  function live(what: string): Live<never> {
    const listeners = new Set<(state: LiveState<never>) => void>();
    let current: LiveState<never> = { status: "loading" };
    const script: Script = {
      what,
      listeners: 0,
      say(state) {
        current = state as LiveState<never>;
        for (const listener of listeners) {
          listener(current);
        }
      },
    };
    scripts.push(script);
    return {
      get current() {
        return current;
      },
      subscribe(listener) {
        // As the store does: the same function twice is two subscriptions.
        const own = (state: LiveState<never>) => listener(state);
        listeners.add(own);
        script.listeners = listeners.size;
        return () => {
          listeners.delete(own);
          script.listeners = listeners.size;
        };
      },
      dispose() {},
      [Symbol.dispose]() {},
    };
  }

  const store = {
    view: ({ name }: { name: string }) => ({ watch: (query: unknown) => live(`${name} ${JSON.stringify(query)}`) }),
    watch: ({ name }: { name: string }, id: string) => live(`${name}-${id}`),
    sync: { watch: () => live("sync") },
    refusals: { watch: () => live("refusals") },
    execute: async (...call: unknown[]) => call,
  } as unknown as AnyStore;
  return { store, scripts };
}
