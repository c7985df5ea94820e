/**
 * What each request of the protocol brings, and takes from, the store.
 */
import type { CoreBindOptions, CorePulled, CoreSyncState } from "../core/syncing.js";
import type { Engine } from "../engine.js";
import { EverfoldError } from "../errors.js";
import { nextTask } from "../turn.js";
import { readEvents } from "./event-stream.js";
import type { CheckedSync } from "./options.js";
import { RequestFailed, type Transport } from "./transport.js";

/** What the replica wants to know of an answer that is in the store. */
export interface Applied {
  readonly rebase: boolean;
  readonly more: boolean;
  readonly stopped: boolean;
  readonly moved: boolean;
}

/** How much a request may bring. */
export interface Limits {
  readonly maxCommits: number;
  readonly maxBytes: number;
}

/** Every call rejects with `RequestFailed`, or with what the store refused. */
export interface Exchange {
  /** `answered` is called with each answer but the last. */
  capabilities(limits: Limits, signal: AbortSignal, answered: () => void): Promise<Applied>;
  push(limits: Limits, signal: AbortSignal): Promise<Applied>;
  pull(limits: Limits, signal: AbortSignal): Promise<Applied>;
  /** Resolves when it ends. */
  tail(signal: AbortSignal, opened: () => void, applied: (applied: Applied) => void): Promise<void>;
  /** What was fetched until now is not all that the server has. */
  asked(): void;
  /** Drops what was fetched beforehand. */
  stop(): void;
}

/** What else is to be told. */
export interface Heard {
  /** Commits that the server has, as far as one knows. */
  head(number: number): void;
  /** Commits are among the refusals now. */
  refused(): void;
}

interface Fetched {
  readonly after: string;
  /** How often it had been asked before that. */
  readonly asks: number;
  readonly page: Promise<Uint8Array>;
  readonly stop: () => void;
}

interface Ahead extends Fetched {
  /** What became of it in the store; undefined if it is not there. */
  readonly applied: Promise<Applied | undefined>;
}

/** More than the first and the last fields of a page take. */
const edgeBytes = 512;
/** The first page is small: the browser compiles what pages need while that is stored, in one task. */
const firstPageCommits = 250;
/** The server says something every 15 s. */
const silenceMs = 45_000;
const pollSeconds = 25;
const soonMs = 1_000;

export function exchangeWith(engine: Engine, options: CheckedSync, transport: Transport, heard: Heard): Exchange {
  const { connection, log, environment } = engine;
  /** The page after the one that was asked for last, and the one after that. */
  let next: Ahead | undefined;
  let later: Fetched | undefined;
  let isFirst = true;
  let asks = 0;
  /** Something between here and the server keeps events back until there are many. */
  let polls = false;

  const state = () => connection.ask<CoreSyncState>((core) => core.sync("syncState", []));

  /** The core stores one answer after the other, in the order of the calls. */
  async function store(answer: Uint8Array): Promise<Applied> {
    const head = headOf(answer);
    if (head !== undefined) {
      heard.head(head);
    }
    const { rebase, more, stopped, moved, refused } = await log.synced<CorePulled>(
      (core) => core.sync("pulled", [answer, nextTask]),
      ({ progress }) => progress,
    );
    if (refused.length > 0) {
      heard.refused();
    }
    return { rebase, more, stopped, moved };
  }

  function pagePath(after: string | null, { maxCommits, maxBytes }: Limits): string {
    const limit = isFirst ? Math.min(maxCommits, firstPageCommits) : maxCommits;
    isFirst = false;
    return `/pull?${after === null ? "" : `after=${encodeURIComponent(after)}&`}limit=${limit}&maxBytes=${maxBytes}`;
  }

  function drop(): void {
    next?.stop();
    later?.stop();
    next = undefined;
    later = undefined;
  }

  async function pull(limits: Limits, signal: AbortSignal): Promise<Applied> {
    const ahead = next;
    const asked = (applied: Applied) => ({ ...applied, more: applied.more || ahead?.asks !== asks });
    if (ahead !== undefined) {
      signal.addEventListener("abort", drop);
      await ahead.page.catch((error) => {
        drop();
        throw error;
      });
      storeAhead(later, limits);
      const applied = await ahead.applied;
      if (applied !== undefined) {
        return asked(applied);
      }
    }
    const { cursor } = await state();
    if (ahead?.after === cursor) {
      return asked(await store(await ahead.page));
    }
    drop();
    const page = await transport.ask(pagePath(cursor, limits), signal);
    storeAhead(fetchAfter(page, limits), limits);
    return store(page);
  }

  function fetchAfter(page: Uint8Array, limits: Limits): Fetched | undefined {
    const end = endOf(page);
    if (!end?.more) {
      return undefined;
    }
    const stop = new AbortController();
    const fetched = transport.ask(pagePath(end.cursor, limits), stop.signal);
    fetched.catch(() => undefined);
    return { after: end.cursor, asks, page: fetched, stop: () => stop.abort() };
  }

  /**
   * Has the core read a page while the one before is stored, and fetches the one after. What is pending is decided again
   * between two pages.
   */
  function storeAhead(fetched: Fetched | undefined, limits: Limits): void {
    later = undefined;
    next = fetched && {
      ...fetched,
      applied: fetched.page
        .then((page) => {
          if (next?.page !== fetched.page) {
            return undefined;
          }
          later = fetchAfter(page, limits);
          return log.pending() > 0 ? undefined : store(page);
        })
        .catch(() => undefined),
    };
  }

  /** Brings a history that was made before there was sync into an empty space. */
  async function adopt({ maxBytes }: Limits, signal: AbortSignal, answered: () => void): Promise<void> {
    let maxCommits = options.batchSize;
    for (;;) {
      answered();
      const body = await connection.call((core) => core.sync("adoptBody", [maxCommits, maxBytes]));
      if (body === null) {
        return;
      }
      const [text, commits] = body;
      try {
        const answer = await transport.ask("/push", signal, text);
        await connection.call((core) => core.sync("adopted", [textOf(answer)]));
      } catch (error) {
        if (!(error instanceof RequestFailed && error.status === 413 && commits > 1)) {
          throw error;
        }
        maxCommits = commits >> 1;
      }
    }
  }

  return {
    async capabilities(limits, signal, answered) {
      const { cursor, number } = endOfSpace(textOf(await transport.ask("", signal)));
      heard.head(number);
      const { space, subject, adopt: how } = options;
      const binding: CoreBindOptions = { space, subject, cursor, adopt: how };
      const { adopting } = await connection.ask<CoreSyncState>((core) =>
        core.sync("bindSync", [JSON.stringify(binding)]),
      );
      if (adopting) {
        await adopt(limits, signal, answered);
      }
      // A history that was here before may be pending now.
      await log.catchUp();
      const { rebase } = await state();
      return { rebase, more: false, stopped: false, moved: true };
    },
    async push(limits, signal) {
      const body = await connection.call((core) => core.sync("pushBody", [limits.maxCommits, limits.maxBytes]));
      if (body === null) {
        return { ...(await pull(limits, signal)), moved: false };
      }
      return store(await transport.ask("/push", signal, body[0]));
    },
    pull,
    async tail(signal, opened, applied) {
      const silent = new AbortController();
      signal.addEventListener("abort", () => silent.abort());
      let isOpen = false;
      let bytes = 0;
      let stop = () => {};
      const wait = () => {
        stop();
        stop = environment.after(silenceMs, () => {
          polls ||= isOpen && bytes === 0;
          silent.abort();
        });
      };
      const path = async () =>
        `/tail?after=${encodeURIComponent((await state()).cursor ?? "")}&replica=${encodeURIComponent(engine.replicaId)}`;
      try {
        wait();
        if (polls) {
          opened();
        }
        while (polls) {
          const [asked, from] = [environment.now(), await path()];
          applied(await store(await transport.ask(`${from}&wait=${pollSeconds}`, silent.signal)));
          if (environment.now() - asked < soonMs && (await path()) === from) {
            // It does not wait: asking again at once would never end.
            return;
          }
          wait();
        }
        const body = await transport.open(await path(), silent.signal);
        isOpen = true;
        opened();
        for await (const { event, data } of readEvents(body, () => {
          bytes += 1;
          wait();
        })) {
          if (event === "resync") {
            return;
          }
          if (event === "commits") {
            applied(await store(new TextEncoder().encode(data)));
          }
        }
      } finally {
        stop();
      }
    },
    asked() {
      asks += 1;
    },
    stop: drop,
  };
}

/** The end of a page tells where the next one begins. Where it does not, that is learned when the page is stored. */
function endOf(page: Uint8Array): { readonly cursor: string; readonly more: boolean } | undefined {
  const end = /"cursor"\s*:\s*"([\w.-]+)"\s*,\s*"more"\s*:\s*(true|false)\s*\}\s*$/;
  const [, cursor, more] = end.exec(textOf(page.subarray(-edgeBytes))) ?? [];
  return cursor === undefined ? undefined : { cursor, more: more === "true" };
}

/** Where the log of a space ends, by its capabilities. */
function endOfSpace(text: string): { readonly cursor: string; readonly number: number } {
  let said: { readonly cursor?: unknown; readonly head?: { readonly number?: unknown } } | null = null;
  try {
    said = JSON.parse(text);
  } catch {
    // A proxy's page.
  }
  const { cursor, head } = said ?? {};
  if (typeof cursor !== "string" || typeof head?.number !== "number") {
    const reason = "it does not tell where the log of the space ends";
    throw new EverfoldError("sync-protocol", `an answer of the server is not what the protocol says: ${reason}`, {
      reason,
    });
  }
  return { cursor, number: head.number };
}

function headOf(page: Uint8Array): number | undefined {
  const begin = /^\s*\{\s*"head"\s*:\s*\{\s*"number"\s*:\s*(\d+)/;
  const [, number] = begin.exec(textOf(page.subarray(0, edgeBytes))) ?? [];
  return number === undefined ? undefined : Number(number);
}

function textOf(bytes: Uint8Array): string {
  return new TextDecoder().decode(bytes);
}
