// The live tail, and the long poll.

import { patience } from "../arguments.mjs";
import { check, holds, is, section } from "../report.mjs";
import { call, commit, cursor, fresh, push, tail } from "../server.mjs";

export async function checkTail() {
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
