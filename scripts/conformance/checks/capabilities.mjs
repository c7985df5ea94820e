// What a server says of itself and of a space.

import { space, token } from "../arguments.mjs";
import { bytes, sha256 } from "../chain.mjs";
import { check, holds, is, isProblem, matches, section } from "../report.mjs";
import { call } from "../server.mjs";

export async function checkCapabilities() {
  section("capabilities");
  let told;
  await check("tell protocol, space, epoch, head, cursor, time and limits", async () => {
    const answer = await call("GET", "");
    is(answer.status, 200, `status: ${answer.text}`);
    matches(answer.type, /^application\/json\b/, "content type");
    told = answer.json;
    holds(told.protocol.min <= 1 && told.protocol.max >= 1, "protocol 1 is not among those that it speaks");
    is(told.space, space, "space");
    matches(told.epoch, /^[0-9a-f]{32}$/, "epoch");
    matches(told.head.hash, /^[0-9a-f]{64}$/, "hash of the head");
    is(told.cursor, `${told.epoch}.${told.head.number}.${told.head.hash.slice(0, 16)}`, "cursor");
    holds(Math.abs(told.time - Date.now()) < 86_400_000, "its time is another day");
    is(told.claimedBy, null, "claimedBy");
    for (const name of ["commitBytes", "commitEvents", "pushBytes", "pushCommits", "pageCommits", "pageBytes"]) {
      holds(Number.isSafeInteger(told.limits[name]) && told.limits[name] > 0, `there is no limit ${name}`);
    }
  });
  if (told?.limits === undefined) {
    process.stdout.write("\nnothing else can be checked\n");
    process.exit(1);
  }
  await check("begin at the hash of the name of the space", async () => {
    if (told.head.number > 0) {
      return "the space has a history";
    }
    is(told.head.hash, sha256(bytes("everfold chain 1\0"), bytes(space)).toString("hex"), "hash of the head");
  });
  await check("are not there without a token, or with another", async () => {
    if (token === undefined) {
      return "there is no token";
    }
    isProblem(await call("GET", "", { token: {} }), 401, "token-missing");
    isProblem(await call("GET", "", { token: { authorization: "Bearer nonsense" } }), 401, "token-invalid");
    const cut = token.slice(0, -4);
    isProblem(await call("GET", "", { token: { authorization: `Bearer ${cut}` } }), 401, "token-invalid");
    isProblem(await call("POST", "push", { token: {}, body: "{" }), 401, "token-missing");
  });
  await check("are of no space whose name cannot be one", async () => {
    for (const name of ["a%20b", "%C3%A9", "a".repeat(129)]) {
      const answer = await call("GET", `/v1/spaces/${name}`);
      holds(answer.status === 404 || answer.status === 403, `${name} is answered with ${answer.status}`);
      matches(answer.type, /^application\/problem\+json\b/, "content type");
    }
  });
  await check("are not what another address or method gives", async () => {
    isProblem(await call("GET", "nowhere"), 404, "not-found");
    isProblem(await call("DELETE", ""), 405, "method");
    isProblem(await call("GET", "push"), 405, "method");
    isProblem(await call("GET", "", { headers: { accept: "image/png" } }), 406, "not-acceptable");
  });
  return told;
}
