/**
 * What was refused or changed: kept by the store until somebody has seen it.
 */
import type { CoreRefusal } from "../core/refusals.js";
import type { CoreFound } from "../core/writing.js";
import type { Engine } from "../engine.js";
import { EverfoldError, invalidArgument } from "../errors.js";
import type { AnyEvent, RecordedEvent } from "../event.js";
import { offerAgain } from "../facts.js";
import { liveResult } from "../live.js";
import { recordedEvents } from "../recorded.js";
import { aggregateNameOf, maxIdBytes } from "../stream-id.js";
import type { AnyStore, CommitOptions, CommitReceipt, Refusal, RefusalReason, Refusals } from "../types.js";
import { upcastEvent } from "../upcast.js";

/** The refusals of a store; `store` is the handle that does things again. */
export function refusalsOf(engine: Engine, store: () => AnyStore): Refusals {
  const { connection, log } = engine;

  async function list(): Promise<readonly Refusal[]> {
    engine.check();
    const kept = await connection.ask<readonly CoreRefusal[]>((core) => core.sync("refusals", []));
    const oldestFirst = [...kept].sort((one, other) => one.recordedAt - other.recordedAt);
    return oldestFirst.map(
      ({ commitId, kind, attempt, mode, recordedAt, stateSeen, batch, after, reason, ...asked }) => ({
        ...{ commitId, kind, attempt, mode, recordedAt },
        ...(asked.definition && { definition: asked.definition, command: asked.command }),
        reason: reason === null ? null : reasonOf(reason),
        stateSeen: stateSeen ?? [],
        events: recordedEvents(batch),
        ...(after && { eventsNow: recordedEvents(after) }),
        retry: () => retry(commitId),
        dismiss: () => dismiss(commitId),
      }),
    );
  }

  async function find(commitId: string): Promise<Refusal> {
    const found = (await list()).find((refusal) => refusal.commitId === commitId);
    if (found === undefined) {
      throw invalidArgument("commitId", `there is no refusal of ${JSON.stringify(commitId)}`);
    }
    return found;
  }

  async function retry(commitId: string): Promise<CommitReceipt> {
    const refusal = await find(commitId);
    if (refusal.kind === "orphaned") {
      const receipt = await offerAgain(engine, commitId, new Set(refusal.events.map(({ streamId }) => streamId)));
      engine.dismissed.tell();
      return receipt;
    }
    const receipt = await again(store(), engine, refusal);
    await dismiss(commitId);
    return receipt;
  }

  async function dismiss(commitId: string): Promise<void> {
    engine.check();
    await connection.call((core) => core.sync("dismissRefusal", [commitId]));
    engine.dismissed.tell();
  }

  return {
    list,
    retry,
    dismiss,
    watch() {
      engine.check();
      let mayReturn = false;
      return liveResult<readonly Refusal[]>({
        async load() {
          const all = await list();
          mayReturn = all.some(({ kind }) => kind !== "changed");
          return all;
        },
        follow(changed) {
          const stop = [
            engine.dismissed.add(changed),
            log.onChange(({ settled, foreign }) => {
              // What is not in the log may be among what came from elsewhere: then it is not listed any more.
              if (settled.length > 0 || (foreign && mayReturn)) {
                changed();
              }
            }),
          ];
          return () => stop.forEach((end) => void end());
        },
      });
    },
  };
}

/** Said by a decider here, by the server as a problem document, or by the store. */
function reasonOf(reason: unknown): RefusalReason {
  const said = reason as Readonly<Record<string, unknown>>;
  const { code, type, message, detail, title } = said as Readonly<Record<string, string | undefined>>;
  if (code === undefined) {
    return {
      code: type?.split(":").at(-1) ?? "refused",
      message: detail ?? title ?? "the server refused it",
      details: said,
    };
  }
  const changed = code === "no-events" ? "nothing is to be done any more" : "its stream has changed underneath";
  return { ...said, code, message: message ?? changed };
}

/** The error of a commit that is not in the log any more: its cause is the reason, until it is dismissed. */
export function refusedError({ commitId, reason, definition }: Refused): EverfoldError<"refused"> {
  const cause = reason ? reasonOf(reason) : undefined;
  const message = cause?.message ?? "it was refused in a merge";
  return new EverfoldError("refused", message, { definition: definition?.name ?? "", commitId }, { cause });
}

type Refused = Extract<CoreFound, { readonly status: "refused" }>;

/** Brings an event to the schema that this app writes: it says nothing of its own when it is appended. */
function asWritten(engine: Engine, event: RecordedEvent): void {
  const aggregate = engine.aggregateOf(event.streamId);
  if (aggregate !== undefined) {
    upcastEvent(aggregate, event);
  } else if (event.schemaVersion !== 1) {
    throw notRegistered(aggregateNameOf(event.streamId));
  }
}

function notRegistered(name: string) {
  return invalidArgument("aggregates", `${JSON.stringify(name)} is not registered: give it to openStore`);
}

/** Always the same id: it is one commit, also if the tab is closed in between, or several devices offer it. */
async function idOfRetry(commitId: string): Promise<string> {
  const id = `${commitId}~`;
  const bytes = new TextEncoder().encode(id);
  if (bytes.length <= maxIdBytes) {
    return id;
  }
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
  return `${Array.from(digest, (byte) => byte.toString(16).padStart(2, "0")).join("")}~`;
}

/** Does it again as another commit, which says what caused it. */
async function again(store: AnyStore, engine: Engine, refusal: Refusal): Promise<CommitReceipt> {
  const { commitId, mode, command, definition, events } = refusal;
  const correlationId = events[0]?.correlationId;
  const ids = { commitId: await idOfRetry(commitId), causationId: commitId, correlationId };
  if (definition !== undefined && mode === "intent") {
    const { name } = definition;
    const options = { ...ids, ...givenWith(refusal) };
    const [decision] = engine.decisionsNamed(name);
    if (decision !== undefined) {
      return store.execute(decision as never, command as never, options);
    }
    const streamId = refusal.stateSeen[0]?.streamId ?? events[0]?.streamId ?? "";
    const [states] = engine.statesOf(streamId);
    if (states === undefined || aggregateNameOf(streamId) !== name) {
      throw notRegistered(name);
    }
    return store.execute(states.aggregate as never, streamId.slice(name.length + 1), command as never, options);
  }
  const streams = new Map<string, typeof events>();
  for (const event of events) {
    asWritten(engine, event as RecordedEvent);
    streams.set(event.streamId, [...(streams.get(event.streamId) ?? []), event]);
  }
  return store.commit(
    [...streams].map(([streamId, list]) => ({ streamId, events: list })),
    ids,
  );
}

/** What a command was given, as its events tell: the metadata that all of them have, and a time that is not of the call. */
function givenWith({ events, recordedAt }: Refusal): Pick<CommitOptions, "metadata" | "occurredAt"> {
  const of = ({ metadata = {} }: AnyEvent) => metadata as Readonly<Record<string, unknown>>;
  const [first = { type: "" }] = events as readonly AnyEvent[];
  const isCommon = ([name, value]: readonly [string, unknown]) =>
    events.every((event) => JSON.stringify(of(event)[name]) === JSON.stringify(value));
  const common = Object.entries(of(first)).filter(isCommon);
  return {
    metadata: common.length > 0 ? Object.fromEntries(common) : undefined,
    occurredAt: first.occurredAt === recordedAt ? undefined : first.occurredAt,
  };
}
