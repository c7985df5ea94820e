/**
 * The generated glue.
 */
import type { Core, CoreOptions } from "../core.js";
import type { CoreDefinitions } from "./definitions.js";

/** The static side of the class. */
export interface CoreClass {
  /**
   * `callback` gets the message of a panic, from the panic hook and so before the trap: a panic in a
   * microtask or in an IndexedDB handler reaches no caller. Set once after each instantiation.
   */
  onPanic(callback: (message: string) => void): void;
  open(options: CoreOptions): Promise<Core>;
  /** Deletes a database; resolves when it is gone. */
  deleteStore(name: string, storage: string): Promise<void>;
}

/**
 * The generated glue, `pkg/everfold.js` or that of a module of the app's own. Ours is built with
 * `--experimental-reset-state-function`, so that a fresh instance can replace one that trapped.
 */
export interface CoreModule {
  readonly default: (input: { module_or_path: unknown } | undefined) => Promise<unknown>;
  readonly Core: CoreClass;
  readonly Definitions?: CoreDefinitions;
  readonly __wbg_reset_state?: () => void;
}
