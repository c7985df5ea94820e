/**
 * What each request of the protocol brings, and takes from, the store.
 */
import type { CoreBindOptions, CorePulled, CoreSyncState } from "../core.js";
import type { Engine } from "../engine.js";
import { readEvents } from "./event-stream.js";
import type { CheckedSync } from "./options.js";
import type { Transport } from "./transport.js";

/** What the replica wants to know of an answer that is in the store. */
export interface Applied {
  readonly rebase: boolean;
  readonly more: boolean;
  readonly stopped: boolean;
}

/** How much a request may bring. */
export interface Limits {
  readonly maxCommits: number;
  readonly maxBytes: number;
}

/** Every call rejects with `RequestFailed`, or with what the store refused. */
export interface Exchange {
  capabilities(limits: Limits, signal: AbortSignal): Promise<Applied>;
  push(limits: Limits, signal: AbortSignal): Promise<Applied>;
  pull(limits: Limits, signal: AbortSignal): Promise<Applied>;
  /** Resolves when it ends. */
  tail(signal: AbortSignal, opened: () => void, applied: (applied: Applied) => void): Promise<void>;
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

/** The server says something every 15 s. */
const silenceMs = 45_000;
const pollSeconds = 25;
const soonMs = 1_000;

export function exchangeWith(engine: Engine, options: CheckedSync, transport: Transport, heard: Heard): Exchange {
  const { connection, log, environment } = engine;
  let storing: Promise<unknown> = Promise.resolve();
  let next: { readonly after: string | null; readonly text: Promise<string>; stop(): void } | undefined;
  /** Something between here and the server keeps events back until there are many. */
  let polls = false;

  const state = () => connection.ask<CoreSyncState>((core) => core.syncState());

  /** One answer after the other. */
  function store(text: string): Promise<Applied> {
    const head = headOf(text);
    if (head !== undefined) {
      heard.head(head);
    }
    const stored = storing.then(async () => {
      const { rebase, more, stopped, refused } = await log.synced<CorePulled>(
        (core) => core.pulled([text]),
        ({ progress }) => progress,
      );
      if (refused.length > 0) {
        heard.refused();
      }
      return { rebase, more, stopped };
    });
    storing = stored.catch(() => undefined);
    return stored;
  }

  function pagePath(after: string | null, { maxCommits, maxBytes }: Limits): string {
    return `/pull?${after === null ? "" : `after=${encodeURIComponent(after)}&`}limit=${maxCommits}&maxBytes=${maxBytes}`;
  }

  function drop(): void {
    next?.stop();
    next = undefined;
  }

  async function pull(limits: Limits, signal: AbortSignal): Promise<Applied> {
    const { cursor } = await state();
    const fetched = next?.after === cursor ? next : undefined;
    next = undefined;
    signal.addEventListener("abort", () => fetched?.stop());
    const text = await (fetched?.text ?? transport.ask(pagePath(cursor, limits), signal));
    const end = endOf(text);
    if (end?.more) {
      // While this one is stored.
      const stop = new AbortController();
      const rest = transport.ask(pagePath(end.cursor, limits), stop.signal);
      rest.catch(() => undefined);
      next = { after: end.cursor, text: rest, stop: () => stop.abort() };
    }
    return store(text);
  }

  /** Brings a history that was made before there was sync into an empty space. */
  async function adopt(limits: Limits, signal: AbortSignal): Promise<void> {
    for (;;) {
      const body = await connection.call((core) => core.adoptBody(limits.maxCommits, limits.maxBytes));
      if (body === null) {
        return;
      }
      const text = await transport.ask("/push", signal, body[0]);
      await connection.call((core) => core.adopted(text));
    }
  }

  return {
    async capabilities(limits, signal) {
      const text = await transport.ask("", signal);
      const { cursor, head } = JSON.parse(text) as {
        readonly cursor: string;
        readonly head: { readonly number: number };
      };
      heard.head(head.number);
      const { space, subject, adopt: how } = options;
      const binding: CoreBindOptions = { space, subject, cursor, adopt: how };
      const { adopting } = await connection.ask<CoreSyncState>((core) => core.bindSync(JSON.stringify(binding)));
      if (adopting) {
        await adopt({ ...limits, maxCommits: options.batchSize }, signal);
      }
      // A history that was here before may be pending now.
      await log.catchUp();
      const { rebase } = await state();
      return { rebase, more: false, stopped: false };
    },
    async push(limits, signal) {
      const body = await connection.call((core) => core.pushBody(limits.maxCommits, limits.maxBytes));
      if (body === null) {
        return pull(limits, signal);
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
      const path = async () => `/tail?after=${encodeURIComponent((await state()).cursor ?? "")}`;
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
            applied(await store(data));
          }
        }
      } finally {
        stop();
      }
    },
    stop: drop,
  };
}

/** The end of a page tells where the next one begins. Where it does not, that is learned when the page is stored. */
function endOf(page: string): { readonly cursor: string; readonly more: boolean } | undefined {
  const [, cursor, more] = /"cursor"\s*:\s*"([\w.-]+)"\s*,\s*"more"\s*:\s*(true|false)\s*\}\s*$/.exec(page) ?? [];
  return cursor === undefined ? undefined : { cursor, more: more === "true" };
}

function headOf(page: string): number | undefined {
  const [, number] = /^\s*\{\s*"head"\s*:\s*\{\s*"number"\s*:\s*(\d+)/.exec(page) ?? [];
  return number === undefined ? undefined : Number(number);
}
