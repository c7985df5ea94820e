/**
 * Requests of the protocol over `fetch`, and what their failures mean.
 *
 * Nothing here tries again or gives up: when to is the replica's to say.
 */
import type { Environment } from "../environment.js";
import { type AnyEverfoldError, EverfoldError, type EverfoldErrorCode } from "../errors.js";
import type { CheckedSync } from "./options.js";

/** A request that failed, as the replica wants to know it. Nothing of it but an error ever reaches the app. */
export class RequestFailed {
  constructor(
    /** 0: no answer came, so what became of it is unknown. */
    readonly status: number,
    /** The last part of the problem's type. */
    readonly problem: string,
    /** Milliseconds, if the server named a time. */
    readonly retryAfter: number | null,
    /** The problem document. */
    readonly text: string,
    readonly error: AnyEverfoldError,
  ) {}
}

export interface Transport {
  /** Asks for a document, its bytes: the core reads them as they are. `signal` gives up. Rejects with `RequestFailed`. */
  ask(path: string, signal: AbortSignal, body?: string): Promise<Uint8Array>;
  /** Opens the tail: its events as they come. Rejects as `ask` does. */
  open(path: string, signal: AbortSignal): Promise<ReadableStream<Uint8Array>>;
}

/** Shorter bodies are not worth it. */
const gzipAbove = 8 * 1024;

/** `token` is what the app gave last. */
export function transportTo(
  { url, space }: Pick<CheckedSync, "url" | "space">,
  environment: Environment,
  token: () => string,
): Transport {
  const base = `${url.replace(/\/+$/, "")}/v1/spaces/${space}`;

  async function send(path: string, signal: AbortSignal, body?: string): Promise<Response> {
    const headers: Record<string, string> = { Authorization: `Bearer ${token()}` };
    const init: RequestInit = { headers, signal, cache: "no-store" };
    if (body !== undefined) {
      const packed = body.length > gzipAbove ? gzip(body) : undefined;
      headers["Content-Type"] = "application/json";
      init.method = "POST";
      init.body = body;
      if (packed !== undefined) {
        headers["Content-Encoding"] = "gzip";
        init.body = await packed;
      }
    }
    let answer: Response;
    let text: string;
    try {
      answer = await environment.fetch(base + path, init);
      text = answer.ok ? "" : await answer.text();
    } catch (cause) {
      throw noAnswer(cause);
    }
    if (!answer.ok) {
      throw failureOf(answer, text, environment.now());
    }
    return answer;
  }

  return {
    async ask(path, signal, body) {
      const answer = await send(path, signal, body);
      try {
        return new Uint8Array(await answer.arrayBuffer());
      } catch (cause) {
        throw noAnswer(cause);
      }
    },
    async open(path, signal) {
      const { body } = await send(path, signal);
      if (body === null) {
        throw noAnswer(new TypeError("the answer has no body"));
      }
      return body;
    },
  };
}

/** Compressed, where the browser can: then the server inflates. */
function gzip(body: string): Promise<ArrayBuffer> | undefined {
  if (typeof CompressionStream !== "function") {
    return undefined;
  }
  return new Response(new Blob([body]).stream().pipeThrough(new CompressionStream("gzip"))).arrayBuffer();
}

function failureOf(answer: Response, text: string, now: number): RequestFailed {
  const { type, title = answer.statusText, detail } = problemIn(text);
  const problem = type?.startsWith(prefix) ? type.slice(prefix.length) : "";
  const reason = detail ?? title;
  const message = `the server answered ${answer.status}${reason === "" ? "" : `: ${reason}`}`;
  const error = new EverfoldError(codeOf(answer.status), message, { reason: problem || reason });
  return new RequestFailed(answer.status, problem, retryAfter(answer, now), text, error as AnyEverfoldError);
}

/** A problem by its document, where an answer's status does not tell. */
export interface ProblemDocument {
  readonly type?: string;
  readonly title?: string;
  readonly detail?: string;
}

const prefix = "urn:everfold:problem:";

function problemIn(text: string): ProblemDocument {
  try {
    const document: unknown = JSON.parse(text);
    return typeof document === "object" && document !== null ? document : {};
  } catch {
    // A proxy's page.
    return {};
  }
}

/** What a status says to the app. */
function codeOf(status: number): EverfoldErrorCode {
  switch (status) {
    case 401:
      return "sync-unauthorized";
    case 403:
      return "sync-forbidden";
    case 409:
    case 412:
      return "sync-diverged";
    case 408:
    case 425:
    case 429:
    case 507:
      return "sync-unavailable";
    default:
      return status < 500 ? "sync-protocol" : "sync-unavailable";
  }
}

/** Seconds, or a date. */
function retryAfter({ headers }: Response, now: number): number | null {
  const value = headers.get("Retry-After");
  if (value === null || value === "") {
    return null;
  }
  const ms = /^\d+$/.test(value) ? Number(value) * 1_000 : Date.parse(value) - now;
  return Number.isNaN(ms) ? null : Math.max(0, ms);
}

/** Whatever became of the request. */
function noAnswer(cause: unknown): RequestFailed {
  const reason = cause instanceof Error ? cause.message : String(cause);
  const error = new EverfoldError("sync-unavailable", `the server did not answer: ${reason}`, { reason }, { cause });
  return new RequestFailed(0, "", null, "", error as AnyEverfoldError);
}
