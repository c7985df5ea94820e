/**
 * Facts on their way to the core as one text, which is described at `Core.ingest`.
 *
 * Each event is checked once and made into text once; nothing else of it is kept, so the caller may
 * use its objects again at once.
 */
import type { AnyAggregate } from "./aggregate.js";
import type { Engine } from "./engine.js";
import type { StreamEvent } from "./event.js";
import { asGiven } from "./json.js";
import { newEvent } from "./new-event.js";
import { checkId } from "./stream-id.js";

/** Commits that are gathered for one call. */
export interface Bulk {
  /** Ids of its commits, in their order. */
  readonly commitIds: readonly string[];
  /** How many events it has, and how long it is. */
  events(): number;
  characters(): number;
  /** The streams that its events belong to. */
  streams(): ReadonlySet<string>;
  /** Checks an event and gives its text; `where` names it in messages. */
  textOf(event: StreamEvent, where: string): string;
  /** Adds a commit: the texts of its events, one after the other. With `content`, the caller gave the id. */
  commit(commitId: string, events: number, texts: string, content?: string): void;
  text(): string;
}

interface KnownStream {
  readonly number: number;
  readonly aggregate: AnyAggregate | undefined;
}

/** An empty bulk of commits that are recorded at `now`. */
export function newBulk(engine: Engine, now: number): Bulk {
  const streams = new Map<string, KnownStream>();
  const types = new Map<string, number>();
  const commitIds: string[] = [];
  const defaults = { occurredAt: now };
  let text = "";
  let events = 0;

  function streamOf(id: string, where: string): KnownStream {
    const streamId = checkId(id, `${where}.streamId`);
    const stream = { number: streams.size, aggregate: engine.aggregateOf(streamId) };
    streams.set(streamId, stream);
    text += `s${streamId}\n`;
    return stream;
  }

  function numberOf(type: string): number {
    const number = types.size;
    types.set(type, number);
    text += `t${JSON.stringify(type)}\n`;
    return number;
  }

  return {
    commitIds,
    events: () => events,
    characters: () => text.length,
    streams: () => new Set(streams.keys()),
    textOf(event, where) {
      const stream = streams.get(event?.streamId) ?? streamOf(event?.streamId, where);
      const checked = newEvent(event, stream.aggregate, defaults, where, asGiven);
      const { type, data, metadata, schemaVersion, occurredAt } = checked;
      const place = `${stream.number} ${types.get(type) ?? numberOf(type)} ${schemaVersion} ${occurredAt}\n`;
      const payload = data === undefined ? "\n" : `${JSON.stringify(data)}\n`;
      return metadata === undefined ? `e${place}${payload}` : `m${place}${JSON.stringify(metadata)}\n${payload}`;
    },
    commit(commitId, count, texts, content) {
      text += content === undefined ? `c${now} ${commitId}\n` : `k${now} ${commitId}\n${content}\n`;
      text += texts;
      commitIds.push(commitId);
      events += count;
    },
    text: () => text,
  };
}
