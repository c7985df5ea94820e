/**
 * A server for tests: docs/protocol.md in a page of TypeScript, without rules, with faults that a test orders. Its hashes
 * are made by node:crypto, so that a device that counts otherwise is found out.
 */
import { createHash } from "node:crypto";
import { gunzipSync } from "node:zlib";
import type { Environment } from "../../ts/environment.js";

interface WireEvent {
  readonly type: string;
  readonly schemaVersion: number;
  readonly occurredAt: number;
  readonly metadata?: unknown;
  readonly salt?: string;
  readonly data?: unknown;
}

interface WireStream {
  readonly streamId: string;
  readonly expectedVersion?: number;
  readonly firstVersion?: number;
  readonly events: readonly WireEvent[];
}

export interface WireCommit {
  readonly number?: number;
  readonly id: string;
  readonly attempt: number;
  readonly mode: "intent" | "fact";
  readonly command?: unknown;
  readonly definition?: { readonly name: string; readonly version: number };
  readonly reads?: readonly { readonly streamId: string; readonly version: number }[];
  readonly subject?: string;
  readonly replica: string;
  readonly recordedAt: number;
  readonly causationId?: string;
  readonly correlationId?: string;
  readonly content?: string;
  readonly actor?: string;
  readonly receivedAt?: number;
  readonly streams: readonly WireStream[];
}

/** What happens to the next requests of a kind, one after the other. */
export type Fault =
  /** Nothing, to it: what is meant comes after it. */
  | "none"
  /** It is done, and nobody hears of it. */
  | "drop-answer"
  /** It never arrives. */
  | "drop-request"
  | "cut-body"
  | "hang"
  /** A tail that opens and says nothing, as behind a proxy that gathers. */
  | "mute"
  | {
      readonly status: number;
      readonly problem?: string;
      readonly retryAfter?: number | string;
      readonly more?: object;
    };

export type RequestKind = "capabilities" | "push" | "pull" | "tail";

export interface FakeServer {
  readonly fetch: Environment["fetch"];
  readonly commits: readonly WireCommit[];
  /** Requests that arrived. */
  readonly requests: string[];
  /** Bodies of pushes that came gzipped. */
  zipped(): number;
  fail(kind: RequestKind, ...faults: Fault[]): void;
  /** Only this token is taken. */
  accept(token: string): void;
  /** Says no to a commit. */
  refuse(rule: (commit: WireCommit) => object | undefined): void;
  /** Answers in pages so large. */
  page(commits: number): void;
  /** Takes the log back to its first commits, in another epoch. */
  restore(number: number): void;
  /** Tails that are open. */
  tails(): number;
  cutTails(): void;
  /** Adds a commit as another device would. */
  add(commit: Partial<WireCommit> & Pick<WireCommit, "id" | "streams">): void;
  hash(): string;
}

const sha256 = (...parts: readonly Buffer[]) => createHash("sha256").update(Buffer.concat(parts)).digest();
const text = (value: string | undefined) => Buffer.from(value ?? "", "utf8");
const json = (value: unknown) => text(value === undefined ? "" : JSON.stringify(value));
function n(value: number | undefined): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeBigInt64BE(BigInt(value ?? 0));
  return bytes;
}
const lp = (value: Buffer) => Buffer.concat([n(value.length), value]);

function digest(c: WireCommit): Buffer {
  const streams = c.streams.map((stream) => {
    const events = stream.events.map((e) => {
      const salt = Buffer.from(e.salt ?? "", "hex");
      const payload = sha256(salt, json(e.data));
      return Buffer.concat([
        ...[lp(text(e.type)), n(e.schemaVersion), n(e.occurredAt), lp(json(e.metadata)), lp(salt), payload],
      ]);
    });
    return Buffer.concat([lp(text(stream.streamId)), n(events.length), ...events]);
  });
  return sha256(
    ...[text("everfold commit 1\0"), lp(text(c.id)), lp(text(c.mode)), lp(json(c.command))],
    ...[lp(text(c.definition?.name)), n(c.definition?.version), lp(text(c.subject)), lp(text(c.replica))],
    ...[n(c.recordedAt), lp(text(c.causationId)), lp(text(c.correlationId)), lp(text(c.content))],
    ...[n(streams.length), ...streams],
  );
}

function nextHash(hash: Buffer, c: WireCommit): Buffer {
  const reads = c.reads ?? [];
  return sha256(
    ...[hash, n(c.number), n(c.attempt), lp(text(c.actor)), n(c.receivedAt)],
    ...[n(reads.length), ...reads.flatMap((read) => [lp(text(read.streamId)), n(read.version)])],
    ...[n(c.streams.length), ...c.streams.map((stream) => n(stream.firstVersion)), digest(c)],
  );
}

/** A server with one space, empty. */
export function fakeServer(space = "acme"): FakeServer {
  const first = sha256(text("everfold chain 1\0"), text(space));
  let epoch = "e".repeat(32);
  const past = new Map<string, { number: number; hash: string }>();
  let commits: WireCommit[] = [];
  let hashes: Buffer[] = [first];
  const versions = () => {
    const found = new Map<string, number>();
    for (const { streams } of commits) {
      for (const { streamId, events } of streams) {
        found.set(streamId, (found.get(streamId) ?? 0) + events.length);
      }
    }
    return found;
  };
  const faults = new Map<RequestKind, Fault[]>();
  const tails = new Set<{ readonly replica: string | null; tell(): void; end(): void }>();
  const requests: string[] = [];
  let accepted = "";
  let zipped = 0;
  let pageCommits = 1_000;
  let judge: (commit: WireCommit) => object | undefined = () => undefined;
  let claim: string | undefined;
  let clock = 1_600_000_000_000;

  const hashAt = (number: number) => (hashes[number] as Buffer).toString("hex");
  const cursorAt = (number: number) => `${epoch}.${number}.${hashAt(number).slice(0, 16)}`;
  const head = () => ({ number: commits.length, hash: hashAt(commits.length) });

  function append(commit: WireCommit): number {
    const number = commits.length + 1;
    const before = versions();
    const streams = commit.streams.map(({ expectedVersion: _, ...stream }) => ({
      ...stream,
      firstVersion: (before.get(stream.streamId) ?? 0) + 1,
    }));
    const confirmed = { number, ...commit, streams };
    commits.push(confirmed);
    hashes.push(nextHash(hashes[number - 1] as Buffer, confirmed));
    return number;
  }

  function wake(): void {
    for (const tail of tails) {
      tail.tell();
    }
  }

  /** Of the commits after a cursor. Throws a problem. */
  function page(after: string | null, limit = pageCommits, short: ReadonlySet<string> = new Set()) {
    const from = placeOf(after);
    const found = commits.slice(from, from + Math.min(limit, pageCommits));
    const end = from + found.length;
    return {
      head: head(),
      commits: found.map(({ number, id, attempt, actor, receivedAt, ...rest }) =>
        short.has(id)
          ? { number, id, attempt, actor, receivedAt }
          : { number, id, attempt, ...rest, actor, receivedAt },
      ),
      cursor: cursorAt(end),
      more: end < commits.length,
    };
  }

  function placeOf(cursor: string | null): number {
    if (cursor === null || cursor === "") {
      return 0;
    }
    const [life, number, hash] = cursor.split(".") as [string, string, string];
    if (life !== epoch) {
      throw problem(412, "epoch-changed", {
        epoch,
        forkedFrom: past.has(life) ? { epoch: life, ...past.get(life) } : null,
      });
    }
    if (Number(number) > commits.length || hashAt(Number(number)).slice(0, 16) !== hash) {
      throw problem(409, "history-diverged");
    }
    return Number(number);
  }

  function push(body: {
    readonly base: string | null;
    readonly replica: string;
    readonly commits: readonly WireCommit[];
    readonly adopt?: "more" | "last";
  }) {
    if (body.adopt !== undefined) {
      if ((commits.length > 0 && claim === undefined) || (claim ?? body.replica) !== body.replica) {
        throw problem(409, "space-not-empty");
      }
      claim = body.replica;
    }
    placeOf(body.base);
    const results: object[] = [];
    const brought = new Set<string>();
    let because: string | undefined;
    for (const commit of body.commits) {
      if (because !== undefined) {
        results.push({ id: commit.id, status: "not-attempted", because });
        continue;
      }
      const known = commits.find(({ id }) => id === commit.id);
      if (known !== undefined) {
        const { number, attempt } = known;
        results.push({ id: commit.id, status: "duplicate", number, attempt, digest: digest(known).toString("hex") });
        because = attempt === commit.attempt ? undefined : commit.id;
        continue;
      }
      const conflict = commit.mode === "intent" && body.adopt === undefined ? conflictOf(commit) : undefined;
      const refused = judge(commit);
      if (conflict !== undefined) {
        results.push({ id: commit.id, status: "conflict", ...conflict });
        because = commit.id;
      } else if (refused !== undefined) {
        results.push({ id: commit.id, status: "refused", problem: refused });
        because = commit.id;
      } else {
        const stamp = body.adopt === undefined ? { actor: accepted || "user", receivedAt: ++clock } : {};
        results.push({ id: commit.id, status: "accepted", number: append({ ...commit, ...stamp }) });
        brought.add(commit.id);
      }
    }
    if (body.adopt === "last" && because === undefined) {
      claim = undefined;
    }
    const answer = { ...page(body.base, pageCommits, brought), results };
    queueMicrotask(wake);
    return answer;
  }

  function conflictOf(commit: WireCommit): object | undefined {
    const now = versions();
    const checked = [
      ...(commit.reads ?? []).map(({ streamId, version }) => ({ streamId, expected: version })),
      ...commit.streams.map(({ streamId, expectedVersion }) => ({ streamId, expected: expectedVersion })),
    ];
    const found = checked.find(
      ({ streamId, expected }) => expected !== undefined && expected !== (now.get(streamId) ?? 0),
    );
    return found && { ...found, actual: now.get(found.streamId) ?? 0 };
  }

  function tailOf(url: URL, signal: AbortSignal | null | undefined): Response {
    const encoder = new TextEncoder();
    const replica = url.searchParams.get("replica");
    let cursor = url.searchParams.get("after");
    placeOf(cursor);
    for (const older of tails) {
      if (replica !== null && older.replica === replica) {
        older.end();
      }
    }
    const body = new ReadableStream<Uint8Array>({
      start(control) {
        const end = () => {
          if (tails.delete(tail)) {
            control.close();
          }
        };
        const tail = {
          replica,
          end,
          tell() {
            let found = page(cursor);
            while (found.commits.length > 0) {
              cursor = found.cursor;
              control.enqueue(encoder.encode(`event: commits\nid: ${cursor}\ndata: ${JSON.stringify(found)}\n\n`));
              found = page(cursor);
            }
          },
        };
        tails.add(tail);
        signal?.addEventListener("abort", () => {
          if (tails.delete(tail)) {
            control.error(signal.reason);
          }
        });
        control.enqueue(encoder.encode(": here\n\n"));
        tail.tell();
      },
    });
    return new Response(body, { headers: { "Content-Type": "text/event-stream" } });
  }

  /** Answers when there is something; a test ends what waits by cutting tails. */
  function pollOf(after: string | null, signal: AbortSignal | null | undefined): Promise<Response> | Response {
    if (page(after).commits.length > 0) {
      return Response.json(page(after));
    }
    return new Promise((resolve, reject) => {
      const end = () => {
        tails.delete(tail);
        resolve(Response.json(page(after)));
      };
      const tail = { replica: null, end, tell: end };
      tails.add(tail);
      signal?.addEventListener("abort", () => {
        tails.delete(tail);
        reject(signal.reason);
      });
    });
  }

  async function answer(kind: RequestKind, url: URL, init: RequestInit): Promise<Response> {
    if (accepted !== "" && new Headers(init.headers).get("Authorization") !== `Bearer ${accepted}`) {
      throw problem(401, "token-expired");
    }
    const after = url.searchParams.get("after");
    switch (kind) {
      case "capabilities":
        return Response.json({
          ...{
            protocol: { min: 1, max: 1 },
            space,
            epoch,
            head: head(),
            cursor: cursorAt(commits.length),
            time: clock,
          },
          ...{ claimedBy: claim ?? null, limits: {} },
        });
      case "push": {
        let bytes = Buffer.from(await new Response(init.body as BodyInit).arrayBuffer());
        if (new Headers(init.headers).get("Content-Encoding") === "gzip") {
          zipped += 1;
          bytes = gunzipSync(bytes);
        }
        return Response.json(push(JSON.parse(bytes.toString("utf8"))));
      }
      case "pull":
        return Response.json(page(after, Number(url.searchParams.get("limit") ?? pageCommits)));
      case "tail":
        return url.searchParams.has("wait") ? pollOf(after, init.signal) : tailOf(url, init.signal);
    }
  }

  return {
    async fetch(address, init) {
      const url = new URL(address);
      const kind = (url.pathname.split("/")[4] ?? "capabilities") as RequestKind;
      if (url.pathname.split("/")[3] !== space) {
        return problem(404, "space-unknown").response;
      }
      const fault = faults.get(kind)?.shift();
      if (fault === "drop-request") {
        throw new TypeError("fetch failed");
      }
      requests.push(kind);
      if (fault === "hang") {
        return new Promise((_, reject) => init.signal?.addEventListener("abort", () => reject(init.signal?.reason)));
      }
      if (fault === "mute") {
        const { signal } = init;
        const start = (control: ReadableStreamDefaultController) =>
          signal?.addEventListener("abort", () => control.error(signal.reason));
        return new Response(new ReadableStream({ start }));
      }
      try {
        if (typeof fault === "object") {
          throw problem(fault.status, fault.problem ?? "overloaded", fault.more, fault.retryAfter);
        }
        const answered = await answer(kind, url, init);
        if (fault === "drop-answer") {
          throw new TypeError("fetch failed");
        }
        if (fault === "cut-body") {
          const whole = await answered.text();
          return new Response(whole.slice(0, whole.length / 2));
        }
        init.signal?.throwIfAborted();
        return answered;
      } catch (thrown) {
        if (thrown instanceof Told) {
          return thrown.response;
        }
        throw thrown;
      }
    },
    get commits() {
      return commits;
    },
    requests,
    zipped: () => zipped,
    fail: (kind, ...orders) => void faults.set(kind, [...(faults.get(kind) ?? []), ...orders]),
    accept(token) {
      accepted = token;
    },
    refuse(rule) {
      judge = rule;
    },
    page(count) {
      pageCommits = count;
    },
    restore(number) {
      past.set(epoch, { number, hash: hashAt(number) });
      epoch = createHash("md5").update(epoch).digest("hex");
      commits = commits.slice(0, number);
      hashes = hashes.slice(0, number + 1);
      for (const tail of tails) {
        tail.end();
      }
    },
    tails: () => tails.size,
    cutTails() {
      for (const tail of tails) {
        tail.end();
      }
    },
    add(commit) {
      append({
        attempt: 1,
        mode: "fact",
        replica: "other",
        recordedAt: clock,
        actor: "other",
        receivedAt: ++clock,
        ...commit,
      });
      wake();
    },
    hash: () => hashAt(commits.length),
  };
}

class Told extends Error {
  constructor(readonly response: Response) {
    super();
  }
}

function problem(status: number, slug: string, more: object = {}, retryAfter?: number | string): Told {
  const document = { type: `urn:everfold:problem:${slug}`, title: slug, detail: `it is ${slug}`, ...more };
  const headers = new Headers({ "Content-Type": "application/problem+json" });
  if (retryAfter !== undefined) {
    headers.set("Retry-After", String(retryAfter));
  }
  return new Told(new Response(JSON.stringify(document), { status, headers }));
}
