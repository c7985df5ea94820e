/**
 * Who waits for `sync.now()`: those that this tab answers, as it leads, and those that wait for whoever does.
 *
 * Nobody is forgotten when another tab begins to lead: who waits here then waits for that one, and the other way round;
 * and what nobody heard is said again to the next one that is heard to lead.
 */
import type { Environment } from "../environment.js";
import { errorOf, type PlainError } from "./status.js";

/** Somebody who waits. */
export interface Waiter {
  resolve(): void;
  reject(error: unknown): void;
}

/** See the module. */
export interface NowCalls {
  /** Somebody asks, here or in a tab that asked this one. */
  add(waiter: Waiter): void;
  /** The tab that leads has answered. */
  answered(id: string, error: PlainError | null): void;
  /** Another tab leads; it has a name. */
  heard(leader: string): void;
  /** This tab leads from now on, or does not any more. */
  turn(): void;
  /** Answers who waits here: null for done. */
  settle(error: unknown): void;
}

/** What a tab has for it. */
export interface Answers {
  leads(): boolean;
  /** Pushes and pulls at once. Resolves when that has begun; what came of it goes to `settle`. Rejects if it may not. */
  begin(): Promise<void>;
  /** Somebody waits for `settle`, and all may be done already. */
  waits(): void;
  /** Asks the tab that leads. */
  ask(id: string): void;
}

export function nowCalls(environment: Environment, { leads, begin, waits, ask }: Answers): NowCalls {
  let here: Waiter[] = [];
  let there = new Map<string, Waiter>();
  let leader = "";

  function add(waiter: Waiter): void {
    if (leads()) {
      begin().then(() => {
        if (leads()) {
          here.push(waiter);
          waits();
        } else {
          add(waiter);
        }
      }, waiter.reject);
    } else {
      const id = environment.newId();
      there.set(id, waiter);
      ask(id);
    }
  }

  return {
    add,
    answered(id, error) {
      const waiter = there.get(id);
      there.delete(id);
      if (error === null) {
        waiter?.resolve();
      } else {
        waiter?.reject(errorOf(error));
      }
    },
    heard(name) {
      if (name !== leader) {
        leader = name;
        for (const id of there.keys()) {
          ask(id);
        }
      }
    },
    turn() {
      const before = [...here, ...there.values()];
      [here, there, leader] = [[], new Map(), ""];
      before.forEach(add);
    },
    settle(error) {
      const before = here;
      here = [];
      for (const { resolve, reject } of before) {
        if (error === null) {
          resolve();
        } else {
          reject(error);
        }
      }
    },
  };
}
