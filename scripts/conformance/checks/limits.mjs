// What is too large.

import { check, is, isProblem, section } from "../report.mjs";
import { call, commit, event, fact, fresh, nothingStored, push, pushBody, statuses } from "../server.mjs";

export async function checkLimits({ beginning, limits }) {
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
