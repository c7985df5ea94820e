// What is said to the server, and what it says.

import { address, authorization, patience, run, space } from "./arguments.mjs";
import { is, matches } from "./report.mjs";

let count = 0;
/** An id that nobody had before. */
export function fresh(name = "c") {
  count += 1;
  return `${name}-${run}-${count}`;
}

export function event(data = { count }) {
  return { type: "conformance.happened", schemaVersion: 1, occurredAt: 1_790_000_000_000, metadata: { by: "é" }, data };
}

/** A commit of one event. */
export function commit(stream, expectedVersion, more = {}) {
  const streams = [{ streamId: stream, expectedVersion, events: [event()] }];
  const salted = { ...streams[0], events: [{ ...streams[0].events[0], salt: "00ff" }] };
  return {
    ...{ id: fresh(), attempt: 1, mode: "intent", replica: "r-1", recordedAt: 1_790_000_000_000, streams: [salted] },
    ...more,
  };
}

export function fact(stream, more = {}) {
  const made = commit(stream, undefined, { mode: "fact", ...more });
  return made;
}

export async function call(method, path, { body, headers = {}, token = authorization, signal } = {}) {
  const url = path.startsWith("/")
    ? `${address}${path}`
    : `${address}/v1/spaces/${space}${path === "" ? "" : `/${path}`}`;
  const response = await fetch(url, {
    method,
    headers: { ...token, ...(body === undefined ? {} : { "content-type": "application/json" }), ...headers },
    body,
    signal: signal ?? AbortSignal.timeout(patience),
  });
  const text = await response.text();
  const type = response.headers.get("content-type") ?? "";
  let json;
  if (/json/.test(type)) {
    json = JSON.parse(text);
  }
  return { status: response.status, headers: response.headers, type, text, json };
}

export async function capabilities() {
  const answer = await call("GET", "");
  is(answer.status, 200, "status of the capabilities");
  return answer.json;
}

export const cursor = async () => (await capabilities()).cursor;

export function pushBody(commits, base, more = {}) {
  return { protocol: 1, base, replica: "r-1", commits, ...more };
}

/** Pushes from today's head, or from `base`; 200 or it fails. */
export async function push(commits, { base, ...more } = {}) {
  const answer = await call("POST", "push", {
    body: JSON.stringify(pushBody(commits, base ?? (await cursor()), more)),
  });
  is(answer.status, 200, `status of a push: ${answer.text}`);
  return answer.json;
}

export const statuses = (answer) => answer.results.map((result) => result.status);

/** Whatever `act` does, the log stays as it is. */
export async function nothingStored(act) {
  const before = await capabilities();
  await act(before);
  is((await capabilities()).head, before.head, "the head afterwards");
}

/** Opens a tail, and gives its events one by one. */
export async function tail(path, signal) {
  const response = await fetch(`${address}/v1/spaces/${space}/${path}`, {
    headers: { ...authorization, accept: "text/event-stream" },
    signal,
  });
  is(response.status, 200, "status of the tail");
  matches(response.headers.get("content-type"), /^text\/event-stream\b/, "content type of the tail");
  return eventsOf(response.body.pipeThrough(new TextDecoderStream()));
}

async function* eventsOf(texts) {
  let rest = "";
  for await (const text of texts) {
    rest += text.replaceAll("\r", "");
    const blocks = rest.split("\n\n");
    rest = blocks.pop();
    for (const block of blocks) {
      const lines = block.split("\n").filter((line) => line !== "" && !line.startsWith(":"));
      const read = (name) => {
        const fields = lines.filter((line) => line.startsWith(`${name}:`));
        return fields.map((line) => line.slice(name.length + 1).replace(/^ /, "")).join("\n");
      };
      if (lines.length > 0) {
        yield { event: read("event"), id: read("id"), data: read("data") };
      }
    }
  }
}
