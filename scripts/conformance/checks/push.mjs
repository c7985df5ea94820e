// What a push does, and what it keeps.

import { subject } from "../arguments.mjs";
import { exact } from "../chain.mjs";
import { check, holds, is, isProblem, section } from "../report.mjs";
import { call, capabilities, commit, cursor, fresh, nothingStored, push, pushBody, statuses } from "../server.mjs";

export async function checkPush({ beginning, limits }) {
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
      ...{ content: "7f", recordedAt: -62_135_596_800_000 },
    });
    Object.assign(made.streams[0].events[0], { data: "@", occurredAt: -1 });
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
  await check("from far behind is answered with a page, behind which comes what it brought", async () => {
    const base = await cursor();
    const data = "x".repeat(Math.min(200_000, limits.commitBytes / 2));
    const before = Array.from({ length: Math.ceil(1_200_000 / data.length) }, () => commit(fresh("s"), 0));
    for (const large of before) {
      large.streams[0].events[0].data = data;
      await push([large]);
    }
    const made = commit(fresh("s"), 0);
    const answer = await push([made], { base });
    is(statuses(answer), ["accepted"], "statuses");
    is(Number(answer.cursor.split(".")[1]), answer.commits.at(-1).number, "number of the cursor");
    const rest = answer.more ? (await call("GET", `pull?after=${answer.cursor}`)).json.commits : [];
    is(
      [...answer.commits, ...rest].map(({ id }) => id),
      [...before, made].map(({ id }) => id),
      "ids of the commits",
    );
  });
}
