/**
 * Snapshots: when one is kept, and whether those that are kept are right.
 *
 * A snapshot only saves time. It is written in idle time after the commit that made it due, so a
 * killed tab may leave one out; now and then one that served is folded again from the first event, and
 * dropped and reported if the two differ (an `evolve` that was changed without a new `version`, or
 * that is not pure). A state that is not JSON has none.
 */
import type { AnyAggregate } from "./aggregate.js";
import { canonicalText } from "./canonical.js";
import type { Connection } from "./connection.js";
import { type AnyEverfoldError, EverfoldError } from "./errors.js";
import type { IdleWork } from "./idle.js";
import { jsonProblem } from "./json.js";
import { problemOf, type Report } from "./problems.js";
import { foldStream, textOfState } from "./states.js";
import type { Loaded } from "./types.js";

export interface SnapshotKeeper {
  /** Keeps a snapshot of `to`, read when the log said `merges`, if one has become due since version `from`. */
  consider(aggregate: AnyAggregate, streamId: string, from: number, to: Loaded<unknown>, merges: number): void;
  /** A snapshot served: checks it now and then. */
  served(aggregate: AnyAggregate, streamId: string, snapshot: Loaded<unknown>): void;
  /** Snapshots did not verify and were dropped. */
  reportDropped(streamId: string, versions: readonly number[]): void;
  /** Aggregates whose states are not JSON. */
  without(): readonly string[];
}

/** Which of the snapshots that serve is folded again, and up to which length of its stream. */
const checkEach = 16;
const checkUpTo = 10_000;

/** `forget` drops the state that was folded from a snapshot that is wrong. */
export function keepSnapshots(
  connection: Connection,
  idle: IdleWork,
  report: Report,
  forget: (streamId: string) => void,
): SnapshotKeeper {
  const without = new Set<string>();
  let servings = 0;

  function reportMismatch(streamId: string, version: number, why: string): void {
    const error = new EverfoldError(
      "snapshot-mismatch",
      `the snapshot of ${streamId} at version ${version} ${why}; it was dropped`,
      { streamId, version },
    );
    report({ code: error.code, message: error.message, details: error.details, error: error as AnyEverfoldError });
  }

  function reportFailure(thrown: unknown): void {
    const problem = problemOf(thrown);
    if (problem !== undefined) {
      report(problem);
    }
  }

  async function keep(
    aggregate: AnyAggregate,
    streamId: string,
    { state, version }: Loaded<unknown>,
    merges: number,
  ): Promise<void> {
    const problem = state === undefined ? { path: "", message: "is undefined" } : jsonProblem(state);
    if (problem !== undefined) {
      if (!without.has(aggregate.name)) {
        without.add(aggregate.name);
        const path = `state${problem.path}`;
        report({
          code: "state-not-json",
          message: `${aggregate.name}: ${path} ${problem.message}; its streams are folded from their start`,
          details: { definition: aggregate.name, path },
        });
      }
      return;
    }
    await connection.call((core) =>
      core.tool("putSnapshot", [
        merges,
        streamId,
        aggregate.name,
        aggregate.version,
        version,
        textOfState(state),
        aggregate.keepSnapshots,
      ]),
    );
  }

  async function check(aggregate: AnyAggregate, streamId: string, snapshot: Loaded<unknown>): Promise<void> {
    const { state } = await foldStream(connection, aggregate, streamId, 0, { atVersion: snapshot.version });
    if (canonicalText(state) !== canonicalText(snapshot.state)) {
      await connection.call((core) => core.tool("dropSnapshots", [streamId]));
      forget(streamId);
      reportMismatch(streamId, snapshot.version, "is not what its events fold to");
    }
  }

  return {
    consider(aggregate, streamId, from, to, merges) {
      const due = Math.floor(to.version / aggregate.snapshotEvery) > Math.floor(from / aggregate.snapshotEvery);
      if (due && !without.has(aggregate.name)) {
        idle.later(`keep ${streamId}`, () => keep(aggregate, streamId, to, merges).catch(reportFailure));
      }
    },
    served(aggregate, streamId, snapshot) {
      servings += 1;
      if (servings % checkEach === 1 && snapshot.version <= checkUpTo) {
        idle.later(`check ${streamId}`, () => check(aggregate, streamId, snapshot).catch(reportFailure));
      }
    },
    reportDropped(streamId, versions) {
      for (const version of versions) {
        reportMismatch(streamId, version, "did not verify");
      }
    },
    without: () => [...without],
  };
}
