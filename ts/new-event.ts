/**
 * From the events that users write to what the core takes: each one checked, defaults filled in.
 *
 * Properties that an event of ours does not have are left out: events of other libraries carry some
 * (`kind`), and so does an event that was read here and is written again.
 */
import type { AnyAggregate } from "./aggregate.js";
import type { CoreNewEvent } from "./core/writing.js";
import { type ErrorDetails, EverfoldError } from "./errors.js";
import type { AnyEvent } from "./event.js";
import { asStored } from "./json.js";
import { schemaIssues } from "./standard-schema.js";
import { schemaVersionOf } from "./upcast.js";

/** What a commit gives to each of its events. */
export interface EventDefaults {
  /** For events that have none of their own. */
  readonly occurredAt: number;
  /** Lies under each event's own; checked by {@link checkMetadata}. */
  readonly metadata?: Readonly<Record<string, unknown>> | undefined;
  /** Makes a salt for each, with sync. */
  readonly salt?: (() => string) | undefined;
}

/**
 * Checks one event; `aggregate` is that of its stream, if it is registered. Throws `invalid-event`.
 * The result shares nothing with what the caller gave, unless `take` is `asGiven`. `where` names the
 * event in messages: `events[2]`.
 */
export function newEvent(
  event: AnyEvent,
  aggregate: AnyAggregate | undefined,
  defaults: EventDefaults,
  where = "",
  take = asStored,
): CoreNewEvent {
  if (typeof event !== "object" || event === null) {
    throw invalidEvent(where, "", "an event is an object with a type");
  }
  const { type, data, occurredAt = defaults.occurredAt } = event;
  if (typeof type !== "string" || type === "" || !type.isWellFormed()) {
    throw invalidEvent(where, "type", "type must be a well-formed text that is not empty");
  }
  if (!Number.isSafeInteger(occurredAt)) {
    throw invalidEvent(
      where,
      "occurredAt",
      `occurredAt is ${String(occurredAt)}, must be whole milliseconds since 1970`,
    );
  }
  const checked: { -readonly [K in keyof CoreNewEvent]: CoreNewEvent[K] } = {
    type,
    schemaVersion: aggregate === undefined ? 1 : schemaVersionOf(aggregate, type),
    occurredAt,
  };
  if (data !== undefined && data !== null) {
    checked.data = take(data, "invalid-event", "data", where);
  }
  const own = checkMetadata(event.metadata, where, take);
  const metadata = own && defaults.metadata ? { ...defaults.metadata, ...own } : (own ?? defaults.metadata);
  if (metadata !== undefined) {
    checked.metadata = metadata;
  }
  if (defaults.salt !== undefined) {
    checked.salt = defaults.salt();
  }
  const schema = aggregate?.schemas[type];
  const issues = schema && schemaIssues(schema, checked.data);
  if (issues !== undefined) {
    const path = `data${issues[0]?.path ?? ""}`;
    const said = issues.map((issue) => issue.message).join("; ");
    throw invalidEvent(where, path, `${path} of ${type}: ${said}`, { type, issues });
  }
  return checked;
}

/** Checks metadata, of an event or of a commit: none, or an object that JSON can hold. */
export function checkMetadata(
  metadata: unknown,
  where = "",
  take = asStored,
): Readonly<Record<string, unknown>> | undefined {
  if (metadata === undefined || metadata === null) {
    return undefined;
  }
  if (typeof metadata !== "object" || Array.isArray(metadata)) {
    throw invalidEvent(where, "metadata", "metadata must be an object");
  }
  return take(metadata as Readonly<Record<string, unknown>>, "invalid-event", "metadata", where);
}

function invalidEvent(
  where: string,
  path: string,
  message: string,
  more?: Partial<ErrorDetails["invalid-event"]>,
): EverfoldError<"invalid-event"> {
  return new EverfoldError("invalid-event", where === "" ? message : `${where}: ${message}`, { path, ...more });
}
