// A history that becomes the beginning of a space.

import { run, space } from "../arguments.mjs";
import { check, is, isProblem, section } from "../report.mjs";
import { call, commit, cursor, fact, fresh, nothingStored, pushBody, statuses } from "../server.mjs";

export async function checkAdoption() {
  section("adoption");
  const { at, adopt } = spaceOf("adopted");
  await check("into a space with a history is space-not-empty", () =>
    nothingStored(async () => {
      const body = JSON.stringify(pushBody([fact("s")], await cursor(), { adopt: "more" }));
      isProblem(await call("POST", "push", { body }), 409, "space-not-empty");
    }),
  );
  const there = await at("");
  if (there.status !== 200 || there.json.head.number > 0) {
    await check("makes a history the beginning of an empty space", async () => "there is no second, empty space");
    return;
  }
  const stream = fresh("s");
  // No version of them is right, or asked for.
  const [first, second, third] = [commit(stream, 3, { attempt: 4 }), commit(stream, 77), commit(stream)];
  await check("claims the space, and goes on", async () => {
    is(statuses((await adopt([first], "more")).json), ["accepted"], "statuses");
    is((await at("")).json.claimedBy, "r-1", "claimedBy");
    isProblem(await adopt([commit(stream, 1)], undefined, "r-2"), 503, "space-claimed");
    isProblem(await adopt([commit(stream, 1)], "more", "r-2"), 409, "space-not-empty");
    is((await adopt([], undefined, "r-2")).status, 200, "status of a push without commits");
    is(statuses((await adopt([first, second], "more")).json), ["duplicate", "accepted"], "statuses");
  });
  await check("ends with the last part, which can be repeated", async () => {
    is(statuses((await adopt([third], "last")).json), ["accepted"], "statuses");
    is((await at("")).json.claimedBy, null, "claimedBy");
    is(statuses((await adopt([third], "last")).json), ["duplicate"], "statuses");
    is(statuses((await adopt([commit(stream, 3)], undefined, "r-2")).json), ["accepted"], "statuses");
    isProblem(await adopt([commit(stream, 4)], "more"), 409, "space-not-empty");
  });
  await check("keeps commits as they were on their device", async () => {
    const { commits } = (await at("/pull")).json;
    const { number: place, streams, ...rest } = commits[0];
    const { streams: pushed, ...sent } = first;
    is([place, rest], [1, sent], "the first commit");
    is(streams, [{ streamId: stream, firstVersion: 1, events: pushed[0].events }], "its streams");
    is(
      commits.map((stored) => stored.streams[0].firstVersion),
      [1, 2, 3, 4],
      "first versions",
    );
  });
  await check("claims a space without commits too, until its holder pushes as others do", async () => {
    const claimed = spaceOf("claimed");
    is((await claimed.adopt([], "more")).status, 200, "status");
    is((await claimed.at("")).json.claimedBy, "r-1", "claimedBy");
    isProblem(await claimed.adopt([commit(stream, 0)], undefined, "r-2"), 503, "space-claimed");
    is(statuses((await claimed.adopt([commit(stream, 0)])).json), ["accepted"], "statuses");
    is((await claimed.at("")).json.claimedBy, null, "claimedBy");
    is(statuses((await claimed.adopt([commit(stream, 1)], undefined, "r-2")).json), ["accepted"], "statuses");
  });
}

/** Calls to another space, which nobody has used. */
function spaceOf(word) {
  const name = `${space.slice(0, 100)}-${word}-${run}`;
  const at = async (path, body) =>
    call(body === undefined ? "GET" : "POST", `/v1/spaces/${name}${path}`, body && { body: JSON.stringify(body) });
  const adopt = async (commits, how, replica = "r-1") => {
    const { json: told } = await at("");
    return at("/push", pushBody(commits, told.cursor, { replica, ...(how === undefined ? {} : { adopt: how }) }));
  };
  return { at, adopt };
}
