import { gunzipSync } from "node:zlib";
import { expect, test } from "vitest";
import { RequestFailed, transportTo } from "../../ts/sync/transport.js";
import { browser } from "./outside.js";

/** A transport whose requests are answered by `answer`, and what was sent. */
function transport(answer: (address: string, init: RequestInit) => Response | Promise<Response>) {
  const sent: { address: string; init: RequestInit; headers: Headers }[] = [];
  const tab = browser().tab(async (address, init) => {
    sent.push({ address, init, headers: new Headers(init.headers) });
    return answer(address, init);
  });
  let token = "one";
  const asked = transportTo({ url: "https://sync.example/base/", space: "acme" }, tab, () => token);
  return { ...asked, sent, tab, renew: () => (token = "two") };
}

const { signal } = new AbortController();
const failure = async (call: Promise<unknown>) => {
  const error: unknown = await call.catch((thrown) => thrown);
  expect(error).toBeInstanceOf(RequestFailed);
  return error as RequestFailed;
};

test("a request goes to the space with the token of now", async () => {
  const { ask, sent, renew } = transport(() => new Response("{}"));

  expect(await ask("/pull?after=x", signal)).toEqual(new TextEncoder().encode("{}"));
  renew();
  await ask("", signal);

  expect(sent.map(({ address }) => address)).toEqual([
    "https://sync.example/base/v1/spaces/acme/pull?after=x",
    "https://sync.example/base/v1/spaces/acme",
  ]);
  expect(sent.map(({ headers }) => headers.get("Authorization"))).toEqual(["Bearer one", "Bearer two"]);
});

test("a short body is sent as it is, a long one gzipped", async () => {
  const { ask, sent } = transport(() => new Response("{}"));
  const long = JSON.stringify({ text: "everfold ".repeat(2_000) });

  await ask("/push", signal, "{}");
  await ask("/push", signal, long);

  expect(sent.map(({ init }) => init.method)).toEqual(["POST", "POST"]);
  expect(sent[0]?.init.body).toBe("{}");
  expect(sent[0]?.headers.get("Content-Encoding")).toBeNull();
  expect(sent[1]?.headers.get("Content-Encoding")).toBe("gzip");
  const packed = sent[1]?.init.body as ArrayBuffer;
  expect(gunzipSync(packed).toString()).toBe(long);
  expect(packed.byteLength).toBeLessThan(1_000);
});

test("a problem is told by its slug, and with its text", async () => {
  const document = { type: "urn:everfold:problem:epoch-changed", title: "epoch", detail: "another life", epoch: "f" };
  const { ask } = transport(() => Response.json(document, { status: 412 }));

  const { status, problem, text, error, retryAfter } = await failure(ask("/pull", signal));

  expect({ status, problem, retryAfter }).toEqual({ status: 412, problem: "epoch-changed", retryAfter: null });
  expect(JSON.parse(text)).toEqual(document);
  expect(error).toMatchObject({ code: "sync-diverged", message: "the server answered 412: another life" });
});

test.each([
  [400, "sync-protocol"],
  [401, "sync-unauthorized"],
  [403, "sync-forbidden"],
  [404, "sync-protocol"],
  [409, "sync-diverged"],
  [413, "sync-protocol"],
  [426, "sync-protocol"],
  [429, "sync-unavailable"],
  [500, "sync-unavailable"],
  [503, "sync-unavailable"],
  [507, "sync-unavailable"],
])("an answer of %s is %s, whatever page a proxy sends with it", async (status, code) => {
  const { ask } = transport(() => new Response("<html>", { status }));

  expect(await failure(ask("", signal))).toMatchObject({ status, problem: "", error: { code } });
});

test("the time to wait is seconds or a date", async () => {
  const now = browser().clock.now();
  const after = async (value: string) => {
    const { ask } = transport(() => new Response("", { status: 429, headers: { "Retry-After": value } }));
    return (await failure(ask("", signal))).retryAfter;
  };

  expect(await after("7")).toBe(7_000);
  expect(await after(new Date(now + 90_000).toUTCString())).toBe(90_000);
  expect(await after(new Date(now - 90_000).toUTCString())).toBe(0);
  expect(await after("soon")).toBeNull();
});

test("no answer, and one that breaks off, are status 0", async () => {
  const broken = new ReadableStream({
    start: (control) => control.error(new TypeError("terminated")),
  });

  const nothing = await failure(transport(() => Promise.reject(new TypeError("fetch failed"))).ask("", signal));
  const half = await failure(transport(() => new Response(broken)).ask("", signal));

  expect(nothing).toMatchObject({ status: 0, error: { code: "sync-unavailable" } });
  expect(nothing.error.message).toBe("the server did not answer: fetch failed");
  expect(half).toMatchObject({ status: 0, error: { code: "sync-unavailable" } });
});
