// The chain of hashes, worked out from all that was pulled.

import { space } from "../arguments.mjs";
import { bytes, exact, nextHash, sha256 } from "../chain.mjs";
import { check, holds, is, section } from "../report.mjs";
import { call } from "../server.mjs";

export async function checkChain({ beginning }) {
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
