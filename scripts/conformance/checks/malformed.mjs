// What makes no sense is a problem, and stores nothing.

import { check, holds, isProblem, section } from "../report.mjs";
import { call, commit, cursor, fresh, nothingStored, pushBody } from "../server.mjs";

export async function checkMalformed() {
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
  invalid("an id of 257 characters that are 514 bytes", (_, c) => (c.id = "\u00e9".repeat(257)));
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
