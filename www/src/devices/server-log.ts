/**
 * The server's own log, read over the protocol as any client would: no device has a part in what the
 * figure shows of it.
 */
import { useEffect, useState } from "react";
import type { AccountEvent } from "../ledger.ts";
import type { LoggedCommit, ShownLog } from "./log.ts";
import { SERVER, tokenFor } from "./sync-server.ts";

/** The parts of a page of commits that are shown. */
interface Page {
  readonly head: { readonly number: number; readonly hash: string };
  readonly commits: readonly WireCommit[];
  readonly cursor: string;
  readonly more: boolean;
}

interface WireCommit {
  readonly id: string;
  readonly actor?: string;
  readonly recordedAt: number;
  readonly streams: readonly { readonly streamId: string; readonly events: readonly AccountEvent[] }[];
}

const SUBJECT = "watcher";
const KEPT = 40;
/** Others may write too: the server is asked from time to time, and at once when a device has heard from it. */
const EVERY = 3_000;

/** Null while the server does not answer. `heard` is anything that changes when a device heard from the server. */
export function useServerLog(space: string, heard: unknown): ShownLog | null {
  const [reader] = useState(() => serverReader(space));
  const [log, setLog] = useState<ShownLog | null>(null);
  // biome-ignore lint/correctness/useExhaustiveDependencies: what a device heard is a reason to look again
  useEffect(() => {
    let wanted = true;
    const look = async (): Promise<void> => {
      const found = await reader().catch(() => null);
      if (wanted) setLog((shown) => (isSame(shown, found) ? shown : found));
    };
    void look();
    const timer = setInterval(() => document.visibilityState === "visible" && void look(), EVERY);
    return () => {
      wanted = false;
      clearInterval(timer);
    };
  }, [reader, heard]);
  return log;
}

/** Reads on from where it is. One read at a time: those asked for meanwhile are answered by the one after it. */
function serverReader(space: string): () => Promise<ShownLog> {
  let token: string | undefined;
  let cursor: string | undefined;
  let confirmed: readonly LoggedCommit[] = [];
  let reading: Promise<ShownLog> | undefined;

  async function page(): Promise<Page> {
    token ??= await tokenFor(SUBJECT, space);
    const after = cursor === undefined ? "" : `?after=${encodeURIComponent(cursor)}`;
    const answer = await fetch(`${SERVER}/v1/spaces/${space}/pull${after}`, {
      headers: { Authorization: `Bearer ${token}` },
      cache: "no-store",
    });
    if (!answer.ok) {
      // Another token next time, and from the beginning: it may be another history.
      token = undefined;
      cursor = undefined;
      confirmed = [];
      throw new Error(`the server answered ${answer.status}`);
    }
    return (await answer.json()) as Page;
  }

  async function read(): Promise<ShownLog> {
    for (;;) {
      const { head, commits, cursor: next, more } = await page();
      cursor = next;
      confirmed = [...confirmed, ...commits.map(shown)].slice(-KEPT);
      if (!more) return { commits: head.number, hash: head.hash, confirmed, pending: [] };
    }
  }

  return async () => {
    await reading?.catch(() => undefined);
    reading ??= read().finally(() => {
      reading = undefined;
    });
    return reading;
  };
}

function shown({ id, actor, recordedAt, streams }: WireCommit): LoggedCommit {
  return {
    commitId: id,
    actor,
    occurredAt: recordedAt,
    status: "confirmed",
    events: streams.flatMap(({ streamId, events }) => events.map((event) => ({ ...event, streamId }))),
  };
}

function isSame(one: ShownLog | null, other: ShownLog | null): boolean {
  return one?.hash === other?.hash && one?.commits === other?.commits;
}
