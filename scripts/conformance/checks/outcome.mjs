// What became of a commit.

import { digest } from "../chain.mjs";
import { check, is, isProblem, section } from "../report.mjs";
import { call, commit, fresh, push } from "../server.mjs";

export async function checkOutcome() {
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
