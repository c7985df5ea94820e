// Pushes at the same time.

import { check, is, section } from "../report.mjs";
import { call, capabilities, commit, cursor, fresh, push, statuses } from "../server.mjs";

export async function checkRaces() {
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
