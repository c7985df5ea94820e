// Cursors: the server checks all three parts.

import { check, is, isProblem, section } from "../report.mjs";
import { call, capabilities, commit, fresh, nothingStored, pushBody } from "../server.mjs";

export async function checkCursors() {
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
