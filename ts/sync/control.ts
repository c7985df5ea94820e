/**
 * `store.sync`: what the app sees of sync and may say to it.
 */
import type { Engine } from "../engine.js";
import { EverfoldError } from "../errors.js";
import { liveResult } from "../live.js";
import type { SyncControl } from "../types.js";
import { syncOff } from "./status.js";

/** The control of an engine; without sync it says so. */
export function syncControl(engine: Engine): SyncControl {
  const { sync } = engine;
  const status = () => sync?.status() ?? syncOff;
  const subscribe: SyncControl["subscribe"] = (listener) => {
    engine.check();
    return sync?.onStatus(listener) ?? (() => undefined);
  };
  return {
    status,
    subscribe,
    watch: () => liveResult({ load: async () => status(), follow: (changed) => subscribe(changed) }),
    async now(options = {}) {
      engine.check();
      if (sync === undefined) {
        throw new EverfoldError("sync-unavailable", "the store was opened without sync", { reason: "off" });
      }
      await sync.now(options.signal);
    },
    pause() {
      engine.check();
      sync?.pause(true);
    },
    resume() {
      engine.check();
      sync?.pause(false);
    },
  };
}
