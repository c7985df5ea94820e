/**
 * An answer that follows a control: one question is worked on at a time, and only the newest of those
 * asked meanwhile is kept. Dragging a slider then shows as many answers as the store can give, and
 * always ends on the last one.
 *
 * Where an answer takes longer than a person waits, the work on one that is no longer wanted is ended,
 * and the next begins once the control rests.
 */
import { useEffect, useRef, useState } from "react";

export interface Latest<K, V> {
  /** What was answered last, and the question that it answers. */
  readonly answer: { readonly key: K; readonly value: V } | null;
  /** True while a newer question is being worked on. */
  readonly waiting: boolean;
  /** How much of that work is done, from 0 to 1, where `ask` tells. */
  readonly done: number;
  readonly error: unknown;
}

export type Ask<K, V> = (key: K, signal: AbortSignal, tell: (done: number) => void) => Promise<V>;

/** Milliseconds of work that may go on although another answer is wanted. */
const PATIENCE = 150;
/** Milliseconds without a change after which a control rests. */
const REST = 120;
/** In how many steps progress is shown. */
const STEPS = 50;

/** `key` null asks nothing. `ask` must keep its identity as long as its answers do not change. */
export function useLatest<K, V>(key: K | null, ask: Ask<K, V>): Latest<K, V> {
  const [state, setState] = useState<Latest<K, V>>(NOTHING);
  const wanted = useRef<K | null>(null);
  const changed = useRef<() => void>(() => undefined);

  useEffect(() => {
    let ended = false;
    let busy = false;
    let slow = false;
    let begunAt = 0;
    let asking = new AbortController();

    const work = async (): Promise<void> => {
      busy = true;
      for (let answered: K | null = null; wanted.current !== null && wanted.current !== answered && !ended; ) {
        if (slow) await rest(() => wanted.current);
        const asked: K | null = wanted.current;
        if (asked === null || ended) break;
        asking = new AbortController();
        begunAt = performance.now();
        const { signal } = asking;
        const tell = (done: number): void => {
          const step = Math.floor(done * STEPS) / STEPS;
          if (!signal.aborted) setState((was) => (was.done === step ? was : { ...was, done: step }));
        };
        try {
          const value = await ask(asked, signal, tell);
          if (signal.aborted) continue;
          setState({ answer: { key: asked, value }, waiting: wanted.current !== asked, done: 0, error: undefined });
        } catch (error) {
          if (signal.aborted) continue;
          setState({ answer: null, waiting: false, done: 0, error });
        }
        slow = performance.now() - begunAt > PATIENCE;
        answered = asked;
      }
      busy = false;
    };

    changed.current = () => {
      if (!busy) {
        void work();
      } else if (performance.now() - begunAt > PATIENCE) {
        slow = true;
        asking.abort();
      }
    };
    changed.current();
    return () => {
      ended = true;
      asking.abort();
    };
  }, [ask]);

  useEffect(() => {
    wanted.current = key;
    if (key !== null) setState((was) => (was.answer?.key === key ? was : { ...was, waiting: true, done: 0 }));
    changed.current();
  }, [key]);

  return key === null ? NOTHING : state;
}

const NOTHING = { answer: null, waiting: false, done: 0, error: undefined };

/** Waits until the key has not changed for a while. */
async function rest(key: () => unknown): Promise<void> {
  for (let before: unknown; before !== key(); ) {
    before = key();
    await new Promise((resolve) => setTimeout(resolve, REST));
  }
}
