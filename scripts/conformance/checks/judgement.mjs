// How commits are judged: ids before versions, each whole, in their order.

import { digest } from "../chain.mjs";
import { check, holds, is, section } from "../report.mjs";
import { call, commit, cursor, event, fact, fresh, nothingStored, push, statuses } from "../server.mjs";

export async function checkJudgement({ limits }) {
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
  await check("of another attempt is duplicate, whatever it holds", async () => {
    const made = commit(fresh("s"), 0);
    await push([made]);
    const other = commit(fresh("s"), 5, { id: made.id, attempt: 2 });
    other.streams[0].events = Array.from({ length: limits.commitEvents + 1 }, () => event(0));
    await nothingStored(async () => is(statuses(await push([other])), ["duplicate"], "statuses"));
  });
  await check("tells ids apart that differ in one byte", async () => {
    const name = fresh();
    const ends = ["", " ", "e", "E", "\u00e9", "e\u0301", "\u00c9", "x".repeat(512 - name.length)];
    const commits = ends.map((end) => commit(`${name}${end}`, 0, { id: `${name}${end}` }));
    is(
      statuses(await push(commits)),
      commits.map(() => "accepted"),
      "statuses",
    );
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
