/**
 * Long work that whoever began it may pause: a promise of its end, there before the work itself has begun.
 */
import type { Rebuild } from "./types.js";

/** Begins `work`, which looks now and then whether something pending says that it is paused. */
export function pausable(work: (paused: () => Promise<void> | undefined) => Promise<void>): Rebuild {
  let pause: { readonly until: Promise<void>; end(): void } | undefined;
  return Object.assign(
    work(() => pause?.until),
    {
      pause() {
        if (pause === undefined) {
          let end = () => {};
          const until = new Promise<void>((resolve) => {
            end = resolve;
          });
          pause = { until, end };
        }
      },
      resume() {
        pause?.end();
        pause = undefined;
      },
    },
  );
}
