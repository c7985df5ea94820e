// Bytes from strangers, at random, for as long as one likes: no panic, nothing stored that is not sound, memory in
// proportion to what came in.
//
//   npm run test:fuzz            a minute for each target
//   npm run test:fuzz -- 3600    an hour
//
// Each run takes new random numbers; a case that fails is kept by proptest beside its test, and `npm test` tries it first.

import { pathToFileURL } from "node:url";
import { main, run, Stop, step } from "./command.mjs";
import { setUp } from "./setup.mjs";

const casesARun = 20_000;

const targets = [
  { what: "a push of any bytes", test: "sync_authority", name: "laws::a_push_of_any_bytes_is_judged_or_refused" },
  { what: "a page of any bytes", test: "sync_authority", name: "laws::a_page_of_any_bytes_is_read_or_not" },
  { what: "a cursor of any text", test: "sync_authority", name: "laws::a_cursor_of_any_text_is_read_or_not" },
  { what: "any pushes", test: "sync_authority", name: "laws::any_pushes_leave_a_sound_log", cases: 2_000 },
  { what: "fields of any bytes", lib: true, name: "log::bytes::tests::arbitrary_bytes_never_panic" },
  { what: "a changed push to a listening server", server: true, name: "bytes_that_are_changed_at_random", cases: 500 },
];

/** Runs each target for so many seconds, and prints how many cases that were. */
export async function fuzz(seconds) {
  await setUp();
  for (const target of targets) {
    const { what, name, cases = casesARun } = target;
    const words = target.server
      ? ["--package", "everfold-server", "--test", "server"]
      : ["--package", "everfold", ...(target.lib ? ["--lib"] : ["--test", target.test])];
    const cargo = ["test", "--profile", "simulation", "--quiet", ...words];
    await run("cargo", [...cargo, "--no-run"], { quiet: true });
    let tried = 0;
    await step(`${what}, ${seconds} s`, async () => {
      const end = Date.now() + seconds * 1_000;
      while (Date.now() < end) {
        const env = { PROPTEST_CASES: `${cases}`, EVERFOLD_SEED: `${Date.now()}` };
        const output = await run("cargo", [...cargo, "--", name], { quiet: true, env });
        if (!/\b1 passed/.test(output)) {
          throw new Stop(`there is no test ${name}`);
        }
        tried += cases;
      }
    });
    process.stdout.write(`  ${tried} cases\n`);
  }
}

if (import.meta.url === pathToFileURL(process.argv[1]).href) {
  await main(() => fuzz(Number(process.argv[2] ?? 60)));
}
