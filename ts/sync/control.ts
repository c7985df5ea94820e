/**
 * `store.sync`: what the app sees of sync and may say to it.
 */
import type { Engine } from "../engine.js";
import { checkOptions, EverfoldError } from "../errors.js";
import { liveResult } from "../live.js";
import type { SyncControl } from "../types.js";
import { syncOff } from "./status.js";

/** The control of an engine; without sync it says so. */
export function syncControl(engine: Engine): SyncControl {
  const { sync } = engine;
  const status = () => sync?.status() ?? syncOff;
  const follow: SyncControl["subscribe"] = (listener) => sync?.onStatus(listener) ?? (() => undefined);
  return {
    status,
    subscribe(listener) {
      engine.check();
      return follow(listener);
    },
    watch() {
      engine.check();
      return liveResult({ load: async () => status(), follow });
    },
    async now(options = {}) {
      engine.check();
      if (sync === undefined) {
        throw new EverfoldError("sync-unavailable", "the store was opened without sync", { reason: "off" });
      }
      await sync.now(checkOptions(options).signal);
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
