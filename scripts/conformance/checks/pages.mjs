// Pages of pulls.

import { check, holds, is, isProblem, section } from "../report.mjs";
import { call, capabilities, commit, cursor, fresh, push } from "../server.mjs";

export async function checkPages() {
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
