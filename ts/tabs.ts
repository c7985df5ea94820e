/**
 * Other tabs of the same store: telling them, and looking at what they wrote.
 *
 * A notice only makes a tab look at the log sooner. Notices get lost (a frozen tab hears nothing), so
 * a tab looks by itself too: when it comes back, and every two seconds while it is visible.
 */
import type { Engine } from "./engine.js";
import { problemOf } from "./problems.js";

const lookEveryMs = 2_000;
/** Writes within this time are one notice, notices one look. */
const gatherMs = 20;

/** Returns what ends it. */
export function followTabs(engine: Engine): () => void {
  if (engine.storage === "memory") {
    return () => undefined;
  }
  const channel = typeof BroadcastChannel === "function" ? new BroadcastChannel(`everfold/${engine.name}`) : undefined;
  const tellSoon = gathered(() => channel?.postMessage("grown"));
  const lookSoon = gathered(look);

  function look(): void {
    engine.log.catchUp().catch((error: unknown) => {
      const problem = problemOf(error);
      if (problem !== undefined) {
        engine.report(problem);
      }
    });
  }

  function lookIfVisible(): void {
    if (typeof document === "undefined" || document.visibilityState === "visible") {
      look();
    }
  }

  const stopListening = engine.log.onChange(({ own }) => {
    if (own) {
      tellSoon.call();
    }
  });
  const stopTelling = engine.rebuilt.add(({ projection, own }) => {
    if (own) {
      channel?.postMessage({ projection });
    }
  });
  channel?.addEventListener("message", ({ data }: MessageEvent<"grown" | { readonly projection: string }>) => {
    if (data !== "grown") {
      engine.rebuilt.tell({ ...data, own: false });
    }
    lookSoon.call();
  });
  const interval = setInterval(lookIfVisible, lookEveryMs);
  const returns: readonly [EventTarget | undefined, string][] = [
    [globalOf<Document>("document"), "visibilitychange"],
    [globalOf<Document>("document"), "resume"],
    [globalOf<Window>("window"), "pageshow"],
  ];
  for (const [target, type] of returns) {
    target?.addEventListener(type, lookIfVisible);
  }

  return () => {
    stopListening();
    stopTelling();
    channel?.close();
    clearInterval(interval);
    tellSoon.stop();
    lookSoon.stop();
    for (const [target, type] of returns) {
      target?.removeEventListener(type, lookIfVisible);
    }
  };
}

/** Runs at once, then at most once in `gatherMs`, and never leaves out the last call. */
function gathered(run: () => void) {
  let timer: ReturnType<typeof setTimeout> | undefined;
  let called = false;

  function call(): void {
    if (timer !== undefined) {
      called = true;
      return;
    }
    timer = setTimeout(() => {
      timer = undefined;
      if (called) {
        called = false;
        call();
      }
    }, gatherMs);
    run();
  }

  return { call, stop: () => clearTimeout(timer) };
}

function globalOf<T extends EventTarget>(name: string): T | undefined {
  return (globalThis as Record<string, unknown>)[name] as T | undefined;
}
