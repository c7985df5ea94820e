// Whether a server speaks the sync protocol, as docs/protocol.md has it. It needs nothing but Node and an address.
//
//   node scripts/conformance.mjs ADDRESS [--token TOKEN] [--space SPACE]
//
// It writes: take a space that nobody else uses, or let it name one if the server makes spaces as they are asked for. What
// needs a second, empty space (adoption) or a token (401) is passed over where there is none, and says so.

import { connect } from "node:net";
import { gzipSync } from "node:zlib";
import { address, authorization, patience, run, space, subject, token } from "./conformance/arguments.mjs";
import { bytes, digest, exact, nextHash, sha256 } from "./conformance/chain.mjs";
import { check, holds, is, isProblem, matches, section, sum } from "./conformance/report.mjs";
import {
  call,
  capabilities,
  commit,
  cursor,
  event,
  fact,
  fresh,
  nothingStored,
  push,
  pushBody,
  statuses,
  tail,
} from "./conformance/server.mjs";

const { limits } = await checkCapabilities();
const beginning = await cursor();
await checkPush();
await checkJudgement();
await checkMalformed();
await checkLimits();
await checkBodies();
await checkCursors();
await checkPages();
await checkTail();
await checkOutcome();
await checkRaces();
await checkAdoption();
await checkChain();

sum();

async function checkCapabilities() {
  section("capabilities");
  let told;
  await check("tell protocol, space, epoch, head, cursor, time and limits", async () => {
    const answer = await call("GET", "");
    is(answer.status, 200, `status: ${answer.text}`);
    matches(answer.type, /^application\/json\b/, "content type");
    told = answer.json;
    holds(told.protocol.min <= 1 && told.protocol.max >= 1, "protocol 1 is not among those that it speaks");
    is(told.space, space, "space");
    matches(told.epoch, /^[0-9a-f]{32}$/, "epoch");
    matches(told.head.hash, /^[0-9a-f]{64}$/, "hash of the head");
    is(told.cursor, `${told.epoch}.${told.head.number}.${told.head.hash.slice(0, 16)}`, "cursor");
    holds(Math.abs(told.time - Date.now()) < 86_400_000, "its time is another day");
    is(told.claimedBy, null, "claimedBy");
    for (const name of ["commitBytes", "commitEvents", "pushBytes", "pushCommits", "pageCommits", "pageBytes"]) {
      holds(Number.isSafeInteger(told.limits[name]) && told.limits[name] > 0, `there is no limit ${name}`);
    }
  });
  if (told?.limits === undefined) {
    process.stdout.write("\nnothing else can be checked\n");
    process.exit(1);
  }
  await check("begin at the hash of the name of the space", async () => {
    if (told.head.number > 0) {
      return "the space has a history";
    }
    is(told.head.hash, sha256(bytes("everfold chain 1\0"), bytes(space)).toString("hex"), "hash of the head");
  });
  await check("are not there without a token, or with another", async () => {
    if (token === undefined) {
      return "there is no token";
    }
    isProblem(await call("GET", "", { token: {} }), 401, "token-missing");
    isProblem(await call("GET", "", { token: { authorization: "Bearer nonsense" } }), 401, "token-invalid");
    const cut = token.slice(0, -4);
    isProblem(await call("GET", "", { token: { authorization: `Bearer ${cut}` } }), 401, "token-invalid");
    isProblem(await call("POST", "push", { token: {}, body: "{" }), 401, "token-missing");
  });
  await check("are of no space whose name cannot be one", async () => {
    for (const name of ["a%20b", "%C3%A9", "a".repeat(129)]) {
      const answer = await call("GET", `/v1/spaces/${name}`);
      holds(answer.status === 404 || answer.status === 403, `${name} is answered with ${answer.status}`);
      matches(answer.type, /^application\/problem\+json\b/, "content type");
    }
  });
  await check("are not what another address or method gives", async () => {
    isProblem(await call("GET", "nowhere"), 404, "not-found");
    isProblem(await call("DELETE", ""), 405, "method");
    isProblem(await call("GET", "push"), 405, "method");
    isProblem(await call("GET", "", { headers: { accept: "image/png" } }), 406, "not-acceptable");
  });
  return told;
}

async function checkPush() {
  section("push");
  const stream = fresh("s");
  await check("stores commits, and gives back their short form", async () => {
    const before = await capabilities();
    const commits = [commit(stream, 0), commit(stream, 1), commit(fresh("s"), 0)];
    const answer = await push(commits, { base: before.cursor });
    const first = before.head.number + 1;
    is(
      answer.results,
      commits.map(({ id }, index) => ({ id, status: "accepted", number: first + index })),
      "results",
    );
    is(answer.commits.length, 3, "how many commits come back");
    for (const [index, short] of answer.commits.entries()) {
      is([short.id, short.number, short.attempt], [commits[index].id, first + index, 1], "a short form");
      is(short.streams, undefined, "streams of a short form");
      holds(typeof short.actor === "string" && Number.isSafeInteger(short.receivedAt), "it has no actor or receivedAt");
    }
    is(answer.more, false, "more");
    const after = await capabilities();
    is(answer.head, after.head, "head");
    is(answer.cursor, after.cursor, "cursor");
  });
  await check("keeps every field, and the exact text of payloads", async () => {
    const base = await cursor();
    const data = '{ "b" : 1.50, "a":"\\u00e9\\/", "n":[ ] }';
    const id = fresh("é 😀/%");
    exact.set(id, data);
    const made = commit(fresh("s ü"), 0, {
      ...{ id, attempt: 7, command: { type: "Happen" }, definition: { name: "conformance", version: 3 } },
      ...{
        reads: [{ streamId: stream, version: 2 }],
        ...(subject && { subject }),
        causationId: "a",
        correlationId: "b",
      },
      content: "7f",
    });
    made.streams[0].events[0].data = "@";
    const body = JSON.stringify(pushBody([made], base)).replace('"@"', () => data);
    is((await call("POST", "push", { body })).json.results[0].status, "accepted", "status");
    const page = await call("GET", `pull?after=${base}`);
    holds(page.text.includes(data), `the payload is not in ${page.text}`);
    const [stored] = page.json.commits;
    const { number: place, actor, receivedAt, streams, ...rest } = stored;
    is(typeof place + typeof actor + typeof receivedAt, "numberstringnumber", "types of number, actor and receivedAt");
    const { streams: pushed, ...sent } = made;
    is(rest, sent, "what was stored");
    is(streams[0].firstVersion, 1, "firstVersion");
    is(streams[0].expectedVersion, undefined, "expectedVersion of a confirmed commit");
    is({ ...streams[0].events[0], data: "@" }, pushed[0].events[0], "event");
  });
  await check("believes nothing of number, actor and time", async () => {
    const base = await cursor();
    await push([commit(fresh("s"), 0, { number: 9e9, actor: "somebody else", receivedAt: -5 })], { base });
    const [stored] = (await call("GET", `pull?after=${base}`)).json.commits;
    holds(stored.number < 9e9 && stored.actor !== "somebody else" && stored.receivedAt > 0, JSON.stringify(stored));
  });
  await check("takes nobody's work with the token of another", async () => {
    if (subject === undefined) {
      return "the token does not say whose it is";
    }
    const other = commit(fresh("s"), 0, { subject: `not ${subject}` });
    await nothingStored(async () =>
      isProblem(
        await call("POST", "push", { body: JSON.stringify(pushBody([other], await cursor())) }),
        403,
        "subject-mismatch",
      ),
    );
    is(statuses(await push([{ ...other, replica: "another device" }])), ["accepted"], "what another device made");
  });
  await check("passes over what it does not know", async () => {
    const made = commit(fresh("s"), 0, { later: { a: ["}"] } });
    is(statuses(await push([made], { later: true })), ["accepted"], "statuses");
  });
  await check("takes null for what is left out", async () => {
    const made = commit(fresh("s"), 0, { command: null, definition: null, subject: null, reads: null, content: null });
    made.streams[0].events[0].metadata = null;
    is(statuses(await push([made], { adopt: null })), ["accepted"], "statuses");
  });
  await check("without commits is a pull", async () => {
    const base = beginning;
    const answer = await push([], { base });
    is(answer.results, [], "results");
    holds(
      answer.commits.length > 0 && answer.commits.every(({ streams }) => streams !== undefined),
      "the commits are not whole",
    );
  });
  await check("brings what others wrote since its base, whole, before its own", async () => {
    const base = await cursor();
    const [first, second] = [commit(fresh("s"), 0), commit(fresh("s"), 0)];
    await push([first], { base });
    const answer = await push([second], { base, replica: "r-2" });
    is(
      answer.commits.map(({ id, streams }) => [id, streams !== undefined]),
      [
        [first.id, true],
        [second.id, false],
      ],
      "commits",
    );
  });
}

async function checkJudgement() {
  section("judgement");
  await check("of a repetition is duplicate, with attempt and digest, and stores nothing", async () => {
    const base = await cursor();
    const made = commit(fresh("s"), 0);
    const accepted = await push([made], { base });
    await nothingStored(async () => {
      const again = await push([made], { base });
      const digested = digest(made).toString("hex");
      const known = {
        id: made.id,
        status: "duplicate",
        number: accepted.results[0].number,
        attempt: 1,
        digest: digested,
      };
      is(again.results, [known], "results");
      holds(again.commits[0].streams !== undefined, "a duplicate does not come back whole");
    });
  });
  await check("asks for the id before the versions", async () => {
    const stream = fresh("s");
    const made = commit(stream, 0);
    await push([made]);
    is(statuses(await push([made, commit(stream, 1)])), ["duplicate", "accepted"], "statuses");
  });
  await check("of a commit that only moved is duplicate", async () => {
    const made = commit(fresh("s"), 0);
    await push([made]);
    made.streams[0].expectedVersion = 5;
    is(statuses(await push([made])), ["duplicate"], "statuses");
  });
  await check("ends at a duplicate of another attempt", async () => {
    const stream = fresh("s");
    const made = commit(stream, 0);
    await push([{ ...made, attempt: 2 }]);
    await nothingStored(async () => {
      const answer = await push([made, commit(stream, 1)]);
      is(statuses(answer), ["duplicate", "not-attempted"], "statuses");
      is(answer.results[0].attempt, 2, "attempt");
    });
  });
  await check("refuses an id for something else", async () => {
    const made = commit(fresh("s"), 0);
    await push([made]);
    await nothingStored(async () => {
      const other = commit(fresh("s"), 0, { id: made.id });
      const answer = await push([other, commit(fresh("s"), 0)]);
      is(statuses(answer), ["refused", "not-attempted"], "statuses");
      is(answer.results[0].problem.type, "urn:everfold:problem:commit-id-reused", "problem");
      is(answer.results[1].because, made.id, "because");
    });
  });
  await check("takes an id twice in one push for one commit", async () => {
    const made = commit(fresh("s"), 0);
    is(statuses(await push([made, made])), ["accepted", "duplicate"], "statuses");
  });
  await check("ends at the first conflict, and keeps what was before it", async () => {
    const stream = fresh("s");
    const [first, late, third] = [commit(stream, 0), commit(stream, 0), commit(fresh("s"), 0)];
    const answer = await push([first, late, third]);
    is(statuses(answer), ["accepted", "conflict", "not-attempted"], "statuses");
    is(answer.results[1], { id: late.id, status: "conflict", streamId: stream, expected: 0, actual: 1 }, "result");
    is(answer.results[2], { id: third.id, status: "not-attempted", because: late.id }, "result");
    is((await call("GET", `commits/${third.id}`)).status, 404, "status of the one that was not attempted");
  });
  await check("of a version ahead of its stream is conflict", async () => {
    is(statuses(await push([commit(fresh("s"), 3)])), ["conflict"], "statuses");
  });
  await check("of a commit over several streams is one", async () => {
    const [one, other] = [fresh("s"), fresh("s")];
    await push([commit(other, 0)]);
    const both = commit(one, 0);
    both.streams.push(commit(other, 0).streams[0]);
    await nothingStored(async () => is(statuses(await push([both])), ["conflict"], "statuses"));
    both.streams[1].expectedVersion = 1;
    is(statuses(await push([both])), ["accepted"], "statuses");
  });
  await check("asks for the streams that were read", async () => {
    const read = fresh("s");
    await push([commit(read, 0)]);
    const late = commit(fresh("s"), 0, { reads: [{ streamId: read, version: 0 }] });
    const answer = await push([late]);
    is(answer.results, [{ id: late.id, status: "conflict", streamId: read, expected: 0, actual: 1 }], "results");
    late.reads[0].version = 1;
    is(statuses(await push([late])), ["accepted"], "statuses");
  });
  await check("asks for no version of a fact", async () => {
    const stream = fresh("s");
    await push([commit(stream, 0)]);
    const base = await cursor();
    const moved = fact(stream, { reads: [{ streamId: stream, version: 77 }] });
    const answer = await push([moved, { ...fact(stream), streams: commit(stream, 0).streams }, commit(stream, 3)], {
      base,
    });
    is(statuses(answer), ["accepted", "accepted", "accepted"], "statuses");
    const { commits } = (await call("GET", `pull?after=${base}`)).json;
    is(
      commits.map(({ streams }) => streams[0].firstVersion),
      [2, 3, 4],
      "first versions",
    );
  });
}

async function checkMalformed() {
  section("what makes no sense stores nothing");
  const base = await cursor();
  const text = (change) => {
    const body = pushBody([commit(fresh("s"), 0)], base);
    change(body, body.commits[0], body.commits[0].streams[0], body.commits[0].streams[0].events[0]);
    return JSON.stringify(body);
  };
  const table = [];
  const malformed = (name, body) => table.push([name, 400, "malformed", body]);
  const invalid = (name, change) => table.push([name, 422, "batch-invalid", text(change)]);
  for (const body of [
    "",
    "null",
    "[]",
    "{",
    "{}",
    '"push"',
    "\u0000",
    text(() => {}).slice(0, -1),
    `${text(() => {})}x`,
  ]) {
    malformed(`a body ${JSON.stringify(body.slice(0, 12))}`, body);
  }
  malformed("a body that is not UTF-8", Buffer.from([0x7b, 0xff, 0x7d]));
  for (const field of ["base", "replica", "commits", "protocol"]) {
    malformed(
      `no ${field}`,
      text((body) => delete body[field]),
    );
    malformed(
      `another type of ${field}`,
      text((body) => (body[field] = true)),
    );
  }
  for (const field of ["id", "attempt", "mode", "replica", "recordedAt"]) {
    malformed(
      `a commit without ${field}`,
      text((_, c) => delete c[field]),
    );
    malformed(
      `a commit with another type of ${field}`,
      text((_, c) => (c[field] = [])),
    );
  }
  for (const field of ["definition", "reads", "subject", "causationId", "correlationId", "content", "streams"]) {
    malformed(
      `a commit with another type of ${field}`,
      text((_, c) => (c[field] = true)),
    );
  }
  for (const field of ["streamId", "events"]) {
    malformed(
      `a stream without ${field}`,
      text((_, _c, s) => delete s[field]),
    );
  }
  for (const field of ["type", "schemaVersion", "occurredAt"]) {
    malformed(
      `an event without ${field}`,
      text((_, _c, _s, e) => delete e[field]),
    );
    malformed(
      `an event with another type of ${field}`,
      text((_, _c, _s, e) => (e[field] = {})),
    );
  }
  malformed(
    "another mode",
    text((_, c) => (c.mode = "maybe")),
  );
  malformed(
    "a fraction as a version",
    text((_, _c, s) => (s.expectedVersion = 1.5)),
  );
  malformed(
    "a version below 0",
    text((_, _c, s) => (s.expectedVersion = -1)),
  );
  malformed(
    "another adopt",
    text((body) => (body.adopt = "some")),
  );
  malformed(
    "a base that is no cursor",
    text((body) => (body.base = "somewhere")),
  );
  invalid("an empty id", (_, c) => (c.id = ""));
  invalid("an id of 513 bytes", (_, c) => (c.id = "x".repeat(513)));
  invalid("an id with a control character", (_, c) => (c.id = `${fresh()}\n`));
  invalid("an empty replica", (_, c) => (c.replica = ""));
  invalid("attempt 0", (_, c) => (c.attempt = 0));
  invalid("no streams", (_, c) => delete c.streams);
  invalid("an empty list of streams", (_, c) => (c.streams = []));
  invalid("a stream without events", (_, _c, s) => (s.events = []));
  invalid("a stream twice", (_, c, s) => c.streams.push(s));
  invalid("an empty stream id", (_, _c, s) => (s.streamId = ""));
  invalid("an intent that expects no version", (_, _c, s) => delete s.expectedVersion);
  invalid("an event with an empty type", (_, _c, _s, e) => (e.type = ""));
  invalid("a time beyond 2^53", (_, c) => (c.recordedAt = 2 ** 53));
  invalid("a salt that is not hexadecimal", (_, _c, _s, e) => (e.salt = "0g"));
  invalid("a payload that is not JSON to the letter", () => {});
  table.at(-1)[3] = table.at(-1)[3].replace(/"data":\{[^}]*\}/, '"data":01');
  for (const [name, status, slug, body] of table) {
    await check(`${name} is ${slug}`, () =>
      nothingStored(async () => isProblem(await call("POST", "push", { body }), status, slug)),
    );
  }
  await check("another protocol is protocol-unsupported, with those that are spoken", () =>
    nothingStored(async () => {
      const body = { ...pushBody([], base), protocol: 99, commits: { packed: true } };
      const answer = await call("POST", "push", { body: JSON.stringify(body) });
      isProblem(answer, 426, "protocol-unsupported");
      holds(answer.json.min <= 1 && answer.json.max >= 1, "min and max");
    }),
  );
  await check("a push whose second commit makes no sense stores the first neither", () =>
    nothingStored(async () => {
      const body = JSON.stringify(pushBody([commit(fresh("s"), 0), commit("", 0)], base));
      isProblem(await call("POST", "push", { body }), 422, "batch-invalid");
    }),
  );
}

async function checkLimits() {
  section("limits");
  await check("a commit that is too large is refused, with the limits", () =>
    nothingStored(async () => {
      const large = commit(fresh("s"), 0, { command: "x".repeat(limits.commitBytes) });
      const answer = await push([large]);
      is(statuses(answer), ["refused"], "statuses");
      is(answer.results[0].problem.type, "urn:everfold:problem:too-large", "problem");
      is(answer.results[0].problem.limits, limits, "limits");
    }),
  );
  await check("a commit of too many events is refused", () =>
    nothingStored(async () => {
      const long = commit(fresh("s"), 0);
      long.streams[0].events = Array.from({ length: limits.commitEvents + 1 }, () => event(0));
      const answer = await push([long]);
      is(statuses(answer), ["refused"], "statuses");
      is(answer.results[0].problem.type, "urn:everfold:problem:too-large", "problem");
    }),
  );
  await check("a commit of as many events as there may be is stored", async () => {
    const long = commit(fresh("s"), 0);
    long.streams[0].events = Array.from({ length: limits.commitEvents }, () => event(0));
    is(statuses(await push([long])), ["accepted"], "statuses");
  });
  await check("a push of too many commits is payload-too-large, with the limits", () =>
    nothingStored(async () => {
      const commits = Array.from({ length: limits.pushCommits + 1 }, () => fact("s"));
      const answer = await call("POST", "push", { body: JSON.stringify(pushBody(commits, beginning)) });
      isProblem(answer, 413, "payload-too-large");
      is(answer.json.limits, limits, "limits");
    }),
  );
  await check("a push of too many bytes is payload-too-large", () =>
    nothingStored(async () => {
      const body = JSON.stringify({ ...pushBody([], beginning), padding: "x".repeat(limits.pushBytes) });
      isProblem(await call("POST", "push", { body }), 413, "payload-too-large");
    }),
  );
}

async function checkBodies() {
  section("bodies");
  const zipped = (body, headers = {}) =>
    call("POST", "push", { body, headers: { "content-encoding": "gzip", ...headers } });
  await check("are read when they are gzipped", async () => {
    const body = JSON.stringify(pushBody([commit(fresh("s"), 0)], await cursor()));
    const answer = await zipped(gzipSync(body));
    is(answer.status, 200, `status: ${answer.text}`);
    is(statuses(answer.json), ["accepted"], "statuses");
  });
  await check("that inflate beyond the limit are payload-too-large", () =>
    nothingStored(async () => {
      const body = JSON.stringify({ ...pushBody([], beginning), padding: "x".repeat(2 * limits.pushBytes) });
      isProblem(await zipped(gzipSync(body)), 413, "payload-too-large");
      isProblem(await zipped(gzipSync(Buffer.alloc(64 << 20))), 413, "payload-too-large");
    }),
  );
  await check("that are not gzip though they say so are malformed", () =>
    nothingStored(async () => {
      const body = JSON.stringify(pushBody([commit(fresh("s"), 0)], beginning));
      isProblem(await zipped(Buffer.from(body)), 400, "malformed");
      isProblem(await zipped(gzipSync(body).subarray(0, -12)), 400, "malformed");
    }),
  );
  await check("in another encoding or of another type are not read", () =>
    nothingStored(async () => {
      const body = JSON.stringify(pushBody([commit(fresh("s"), 0)], beginning));
      isProblem(await zipped(body, { "content-encoding": "compress" }), 415, "encoding");
      for (const type of ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"]) {
        isProblem(await call("POST", "push", { body, headers: { "content-type": type } }), 415, "encoding");
      }
    }),
  );
  await check("are JSON with a charset too", async () => {
    const body = JSON.stringify(pushBody([], await cursor()));
    const headers = { "content-type": "application/json; charset=utf-8" };
    is((await call("POST", "push", { body, headers })).status, 200, "status");
  });
  await check("that are cut store nothing", async () => {
    const { protocol, hostname, port } = new URL(address);
    if (protocol !== "http:") {
      return "the address is not plain HTTP";
    }
    await nothingStored(async () => {
      const body = JSON.stringify(pushBody([commit(fresh("s"), 0)], await cursor()));
      const head = [
        ...[`POST /v1/spaces/${space}/push HTTP/1.1`, `Host: ${hostname}`, "Content-Type: application/json"],
        ...Object.entries(authorization).map(([name, value]) => `${name}: ${value}`),
        `Content-Length: ${body.length + 100}`,
      ];
      await new Promise((resolve, reject) => {
        const socket = connect({ host: hostname, port: Number(port || 80) }, () => {
          socket.end(`${head.join("\r\n")}\r\n\r\n${body}`);
        });
        socket.on("error", reject);
        socket.on("close", resolve);
        socket.resume();
        socket.setTimeout(patience, () => socket.destroy());
      });
    });
  });
  await check("of answers are gzipped only for whoever takes that", async () => {
    const path = `pull?after=${beginning}`;
    const packed = await call("GET", path, { headers: { "accept-encoding": "gzip" } });
    matches(packed.headers.get("content-encoding") ?? "gzip", /^gzip$/, "content-encoding");
    const plain = await call("GET", path, { headers: { "accept-encoding": "identity" } });
    is(plain.headers.get("content-encoding"), null, "content-encoding");
    is(plain.json.commits, packed.json.commits, "commits");
  });
}

async function checkCursors() {
  section("cursors");
  const { epoch, head } = await capabilities();
  const hash = head.hash.slice(0, 16);
  const table = [
    ["that is none is malformed", "somewhere", 400, "malformed"],
    ["with an upper-case hash is malformed", `${epoch}.${head.number}.${"A".repeat(16)}`, 400, "malformed"],
    ["beyond the head has diverged", `${epoch}.${head.number + 1}.${hash}`, 409, "history-diverged"],
    ["with another hash has diverged", `${epoch}.${head.number}.0123456789abcdef`, 409, "history-diverged"],
    ["of the beginning with another hash has diverged", `${epoch}.0.0123456789abcdef`, 409, "history-diverged"],
    ["of another epoch is told today's", `${"0".repeat(32)}.${head.number}.${hash}`, 412, "epoch-changed"],
  ];
  for (const [name, bad, status, slug] of table) {
    await check(`one ${name}`, () =>
      nothingStored(async () => {
        const body = JSON.stringify(pushBody([commit(fresh("s"), 0)], bad));
        const paths = [`pull?after=${bad}`, `tail?after=${bad}`, `tail?after=${bad}&wait=1`];
        const answers = [
          await call("POST", "push", { body }),
          ...(await Promise.all(paths.map((path) => call("GET", path)))),
        ];
        for (const answer of answers) {
          isProblem(answer, status, slug);
          if (slug === "epoch-changed") {
            is([answer.json.epoch, answer.json.forkedFrom], [epoch, null], "epoch and forkedFrom");
          }
        }
      }),
    );
  }
}

async function checkPages() {
  section("pages");
  const base = await cursor();
  const made = Array.from({ length: 10 }, () => commit(fresh("s"), 0));
  await push(made, { base });
  const pull = async (query) => {
    const answer = await call("GET", `pull?${query}`);
    is(answer.status, 200, `status: ${answer.text}`);
    return answer.json;
  };
  await check("have what is after their cursor, whole and in order", async () => {
    const page = await pull(`after=${base}`);
    is(
      page.commits.map(({ id }) => id),
      made.map(({ id }) => id),
      "ids",
    );
    is(page.more, false, "more");
    is(page.cursor, await cursor(), "cursor");
    is(page.head, (await capabilities()).head, "head");
  });
  await check("are empty at the head", async () => {
    const at = await cursor();
    const page = await pull(`after=${at}`);
    is([page.commits, page.cursor, page.more], [[], at, false], "page");
  });
  await check("begin at the beginning without a cursor", async () => {
    is((await pull("limit=1")).commits[0].number, 1, "number");
  });
  await check("have no more commits than were asked for, and go on behind them", async () => {
    const ids = [];
    let after = base;
    for (let more = true; more; ) {
      const page = await pull(`after=${after}&limit=3`);
      holds(page.commits.length <= 3, `a page has ${page.commits.length} commits`);
      ids.push(...page.commits.map(({ id }) => id));
      ({ cursor: after, more } = page);
    }
    is(
      ids,
      made.map(({ id }) => id),
      "ids",
    );
  });
  await check("have at least one commit", async () => {
    for (const query of ["maxBytes=1", "maxBytes=0", "limit=0"]) {
      const page = await pull(`after=${base}&${query}`);
      is([page.commits.length, page.more], [1, true], query);
    }
  });
  await check("have no more bytes than were asked for", async () => {
    const whole = await call("GET", `pull?after=${base}`);
    const page = await pull(`after=${base}&maxBytes=${Math.floor(whole.text.length / 2)}`);
    holds(page.commits.length > 1 && page.commits.length < 10, `a page has ${page.commits.length} commits`);
  });
  await check("of a size that is no number are malformed", async () => {
    for (const query of ["pull?limit=many", "pull?maxBytes=-1", "pull?limit=1.5", "tail?wait=long"]) {
      isProblem(await call("GET", query), 400, "malformed");
    }
  });
}

async function checkTail() {
  section("tail");
  await check("gives what is there, then what comes, with cursors as ids", async () => {
    const base = await cursor();
    const [before, after] = [commit(fresh("s"), 0), commit(fresh("s"), 0)];
    await push([before]);
    const controller = new AbortController();
    const timer = setTimeout(() => controller.abort(new Error("the tail gave nothing")), patience);
    const seen = [];
    try {
      for await (const { event: name, id, data } of await tail(`tail?after=${base}`, controller.signal)) {
        is(name, "commits", "event");
        const page = JSON.parse(data);
        is(id, page.cursor, "id");
        seen.push(...page.commits);
        if (seen.length === 1) {
          await push([after]);
        }
        if (seen.length >= 2) {
          is(id, await cursor(), "the last id");
          break;
        }
      }
    } finally {
      clearTimeout(timer);
      controller.abort();
    }
    is(
      seen.map(({ id }) => id),
      [before.id, after.id],
      "ids",
    );
    holds(
      seen.every(({ streams }) => streams !== undefined),
      "commits of a tail are not whole",
    );
  });
  await check("ends when the same replica opens another", async () => {
    const path = `tail?after=${await cursor()}&replica=r-tail`;
    const controller = new AbortController();
    const timer = setTimeout(() => controller.abort(new Error("the older one did not end")), patience);
    try {
      const older = await tail(path, controller.signal);
      await tail(path, controller.signal);
      is(await older.next(), { value: undefined, done: true }, "what came of the older one");
    } finally {
      clearTimeout(timer);
      controller.abort();
    }
  });
  await check("with wait gives what is there at once", async () => {
    const base = await cursor();
    const made = commit(fresh("s"), 0);
    await push([made]);
    const answer = await call("GET", `tail?after=${base}&wait=9`);
    is(
      answer.json.commits.map(({ id }) => id),
      [made.id],
      "ids",
    );
  });
  await check("with wait gives what comes as soon as it is there", async () => {
    const waiting = call("GET", `tail?after=${await cursor()}&wait=9`);
    const made = commit(fresh("s"), 0);
    await push([made]);
    is(
      (await waiting).json.commits.map(({ id }) => id),
      [made.id],
      "ids",
    );
  });
  await check("with wait gives an empty page when nothing came", async () => {
    const at = await cursor();
    const answer = await call("GET", `tail?after=${at}&wait=1`);
    is([answer.json.commits, answer.json.cursor, answer.json.more], [[], at, false], "page");
  });
}

async function checkOutcome() {
  section("outcome");
  await check("of a commit is its place, attempt and digest", async () => {
    const made = commit(fresh("s"), 0, { id: fresh("a/b c%é?#"), attempt: 3 });
    const answer = await push([made]);
    const told = await call("GET", `commits/${encodeURIComponent(made.id)}`);
    is(told.status, 200, `status: ${told.text}`);
    const outcome = { id: made.id, status: "accepted", number: answer.results[0].number, attempt: 3 };
    is(told.json, { ...outcome, digest: digest(made).toString("hex") }, "outcome");
  });
  await check("of an unknown commit is commit-unknown", async () => {
    isProblem(await call("GET", `commits/${fresh("nobody")}`), 404, "commit-unknown");
  });
}

async function checkRaces() {
  section("races");
  await check("of twenty pushes for one version have one winner", async () => {
    const stream = fresh("s");
    const base = await cursor();
    const answers = await Promise.all(
      Array.from({ length: 20 }, (_, index) => push([commit(stream, 0)], { base, replica: `r-${index}` })),
    );
    const all = answers.flatMap(statuses).sort();
    is(all, ["accepted", ...Array.from({ length: 19 }, () => "conflict")], "statuses");
  });
  await check("of one push with itself store it once", async () => {
    const commits = Array.from({ length: 5 }, () => commit(fresh("s"), 0));
    const before = await capabilities();
    const answers = await Promise.all(
      Array.from({ length: 10 }, (_, index) => push(commits, { base: before.cursor, replica: `r-${index}` })),
    );
    is((await capabilities()).head.number, before.head.number + 5, "number of the head");
    is(answers.flatMap(statuses).filter((status) => status === "accepted").length, 5, "how many were accepted");
  });
  await check("of pushes to different streams are all stored, without a hole", async () => {
    const base = await cursor();
    const pushes = Array.from({ length: 20 }, () => [commit(fresh("s"), 0), commit(fresh("s"), 0)]);
    await Promise.all(pushes.map((commits, index) => push(commits, { base, replica: `r-${index}` })));
    const { commits } = (await call("GET", `pull?after=${base}`)).json;
    const first = commits[0].number;
    is(
      commits.map((c) => c.number),
      commits.map((_, index) => first + index),
      "numbers",
    );
    is(
      commits.map(({ id }) => id).sort(),
      pushes
        .flat()
        .map(({ id }) => id)
        .sort(),
      "ids",
    );
  });
}

async function checkAdoption() {
  section("adoption");
  const empty = `${space.slice(0, 100)}-adopted-${run}`;
  const at = async (path, body) =>
    call(body === undefined ? "GET" : "POST", `/v1/spaces/${empty}${path}`, body && { body: JSON.stringify(body) });
  const adopt = async (commits, how, replica = "r-1") => {
    const { json: told } = await at("");
    return at("/push", pushBody(commits, told.cursor, { replica, ...(how === undefined ? {} : { adopt: how }) }));
  };
  await check("into a space with a history is space-not-empty", () =>
    nothingStored(async () => {
      const body = JSON.stringify(pushBody([fact("s")], await cursor(), { adopt: "more" }));
      isProblem(await call("POST", "push", { body }), 409, "space-not-empty");
    }),
  );
  const there = await at("");
  if (there.status !== 200 || there.json.head.number > 0) {
    await check("makes a history the beginning of an empty space", async () => "there is no second, empty space");
    return;
  }
  const stream = fresh("s");
  const [first, second, third] = [commit(stream, 0, { attempt: 4 }), commit(stream, 1), commit(stream, 2)];
  await check("claims the space, and goes on", async () => {
    is(statuses((await adopt([first], "more")).json), ["accepted"], "statuses");
    is((await at("")).json.claimedBy, "r-1", "claimedBy");
    isProblem(await adopt([commit(stream, 1)], undefined, "r-2"), 503, "space-claimed");
    isProblem(await adopt([commit(stream, 1)], "more", "r-2"), 409, "space-not-empty");
    is((await adopt([], undefined, "r-2")).status, 200, "status of a push without commits");
    is(statuses((await adopt([first, second], "more")).json), ["duplicate", "accepted"], "statuses");
  });
  await check("ends with the last part, which can be repeated", async () => {
    is(statuses((await adopt([third], "last")).json), ["accepted"], "statuses");
    is((await at("")).json.claimedBy, null, "claimedBy");
    is(statuses((await adopt([third], "last")).json), ["duplicate"], "statuses");
    is(statuses((await adopt([commit(stream, 3)], undefined, "r-2")).json), ["accepted"], "statuses");
    isProblem(await adopt([commit(stream, 4)], "more"), 409, "space-not-empty");
  });
  await check("keeps commits as they were on their device", async () => {
    const { commits } = (await at("/pull")).json;
    const { number: place, streams, ...rest } = commits[0];
    const { streams: pushed, ...sent } = first;
    is([place, rest], [1, sent], "the first commit");
    is(streams, [{ streamId: stream, firstVersion: 1, events: pushed[0].events }], "its streams");
  });
}

async function checkChain() {
  section("chain");
  await check("continues over everything that was stored here, hash by hash", async () => {
    let after = beginning;
    let hash;
    const start = Number(beginning.split(".")[1]);
    if (start > 0) {
      return "the space had a history, whose hashes are not all told";
    }
    hash = sha256(bytes("everfold chain 1\0"), bytes(space));
    let last = 0;
    for (let more = true; more; ) {
      const page = (await call("GET", `pull?after=${after}`)).json;
      for (const stored of page.commits) {
        is(stored.number, last + 1, "number");
        last = stored.number;
        hash = nextHash(hash, stored, exact.get(stored.id));
      }
      is(page.cursor, `${page.cursor.split(".")[0]}.${last}.${hash.toString("hex").slice(0, 16)}`, "cursor");
      ({ cursor: after, more } = page);
      if (!more) {
        is(page.head, { number: last, hash: hash.toString("hex") }, "head");
      }
    }
    holds(last > 50, `only ${last} commits were stored`);
  });
}
