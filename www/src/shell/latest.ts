/**
 * An answer that follows a control: while one answer is worked out, only the newest of the questions
 * asked meanwhile is kept. Dragging a slider then shows as many answers as the store can give, and
 * always ends on the last one.
 */
import { useEffect, useRef, useState } from "react";

export interface Latest<K, V> {
  /** What was answered last, and the question that it answers. */
  readonly answer: { readonly key: K; readonly value: V } | null;
  /** True while a newer question is being worked on. */
  readonly waiting: boolean;
  readonly error: unknown;
}

/** `key` null asks nothing. `ask` must keep its identity as long as its answers do not change. */
export function useLatest<K, V>(key: K | null, ask: (key: K, signal: AbortSignal) => Promise<V>): Latest<K, V> {
  const [state, setState] = useState<Latest<K, V>>({ answer: null, waiting: false, error: undefined });
  const wanted = useRef<K | null>(null);

  useEffect(() => {
    const ending = new AbortController();
    let busy = false;
    const work = async (): Promise<void> => {
      if (busy) return;
      busy = true;
      for (let last: K | null = null; wanted.current !== last && wanted.current !== null; ) {
        last = wanted.current;
        try {
          const value = await ask(last, ending.signal);
          if (ending.signal.aborted) return;
          setState({ answer: { key: last, value }, waiting: wanted.current !== last, error: undefined });
        } catch (error) {
          if (ending.signal.aborted) return;
          setState({ answer: null, waiting: false, error });
        }
      }
      busy = false;
    };
    start.current = () => void work();
    start.current();
    return () => ending.abort();
  }, [ask]);

  const start = useRef<() => void>(() => undefined);
  useEffect(() => {
    wanted.current = key;
    if (key !== null) setState((was) => (was.answer?.key === key ? was : { ...was, waiting: true }));
    start.current();
  }, [key]);

  return key === null ? { answer: null, waiting: false, error: undefined } : state;
}
