/**
 * Has the app make up for what was refused: `onRefused`, for each refusal until it has done its work once.
 *
 * The record of a refusal says whether the app was told of it, so a tab that leads goes on with what one before it left.
 */
import type { CoreRefusal } from "../core/refusals.js";
import type { Engine } from "../engine.js";
import type { CheckedSync } from "./options.js";

export interface Compensation {
  /** Goes through what nobody was told of, also what was tried before: this tab begins to lead. */
  begin(): void;
  /** Something was refused. */
  refused(): void;
}

export function compensateIn(
  engine: Engine,
  { onRefused }: CheckedSync,
  report: (error: unknown) => void,
): Compensation {
  const { connection } = engine;
  const tried = new Set<string>();
  let running: Promise<void> = Promise.resolve();

  async function goThrough(): Promise<void> {
    const [store] = engine.handles;
    if (onRefused === undefined || store === undefined) {
      return;
    }
    const kept = await connection.ask<readonly CoreRefusal[]>((core) => core.sync("refusals", []));
    const untold = kept.filter(({ kind, told, commitId }) => kind === "refused" && !told && !tried.has(commitId));
    const refusals = untold.length === 0 ? [] : await store.refusals.list();
    for (const { commitId } of untold) {
      const refusal = refusals.find((one) => one.commitId === commitId);
      if (refusal !== undefined) {
        tried.add(commitId);
        try {
          await onRefused(refusal, store);
          await connection.call((core) => core.sync("refusalTold", [commitId]));
        } catch (error) {
          report(error);
        }
      }
    }
  }

  function refused(): void {
    running = running.then(goThrough).catch(report);
  }

  return {
    begin() {
      tried.clear();
      refused();
    },
    refused,
  };
}
