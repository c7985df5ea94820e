/**
 * Subscriptions: past commits, then each new one, in the order of the log, without a gap or a repeat.
 *
 * A subscription reads the log from where it is; being told of a change only makes it look. So the
 * hand-over from past to live is no special case, and other tabs' commits are not either.
 */
import type { Engine } from "./engine.js";
import { isEverfoldError } from "./errors.js";
import type { RecordedEvent } from "./event.js";
import { callListener } from "./listeners.js";
import { problemOf } from "./problems.js";
import { coreQuery, readPages } from "./read.js";
import type { CommitNotice, NotedCommit, SubscribeQuery } from "./types.js";

/** Calls `listener` with each page of commits. Returns what ends it. */
export function subscribeTo(
  engine: Engine,
  { afterPosition, types, aggregate }: SubscribeQuery,
  listener: (notice: CommitNotice) => void,
): () => void {
  engine.check();
  const query = coreQuery({ types, aggregate, afterPosition });
  let position = query.afterPosition ?? engine.log.position();
  let running = false;
  let ended = false;

  async function deliver(): Promise<void> {
    if (running) {
      return;
    }
    running = true;
    try {
      while (!ended && position < engine.log.position()) {
        await deliverToEnd();
      }
    } catch (error) {
      const problem = problemOf(error);
      if (problem !== undefined && !isEverfoldError(error, "store-closed")) {
        engine.report(problem);
      }
    }
    running = false;
  }

  async function deliverToEnd(): Promise<void> {
    // A page may end inside a commit: its events wait for the rest.
    let begun: RecordedEvent[] = [];
    for await (const { events, more, position: reached } of readPages(engine, { ...query, afterPosition: position })) {
      const commits = commitsOf([...begun, ...events]);
      begun = more ? (commits.pop()?.events ?? []) : [];
      if (ended) {
        return;
      }
      if (commits.length > 0) {
        callListener(listener, { kind: "appended", commits });
      }
      const first = begun[0];
      position = first === undefined ? reached : first.position - 1;
    }
  }

  const stopListening = engine.log.onChange(() => void deliver());
  void deliver();
  return () => {
    ended = true;
    stopListening();
  };
}

interface Gathered extends NotedCommit {
  readonly events: RecordedEvent[];
}

/** Events of one commit stand together in the log. */
function commitsOf(events: readonly RecordedEvent[]): Gathered[] {
  const commits: Gathered[] = [];
  for (const event of events) {
    const last = commits.at(-1);
    if (last?.commitId === event.commitId) {
      last.events.push(event);
    } else {
      commits.push({ commitId: event.commitId, attempt: event.attempt, events: [event] });
    }
  }
  return commits;
}
