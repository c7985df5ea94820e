import { spawnSync } from "node:child_process";
import { expect, test } from "vitest";

test.each([
  [[], "one address of a server is needed, with http:// or https://"],
  [["localhost:4173"], "one address of a server is needed, with http:// or https://"],
  [["nowhere"], "Invalid URL"],
  [["http://localhost:4173", "--foo"], "Unknown option '--foo'"],
])("the conformance script with %j says what is wrong, and what there is", (words, problem) => {
  const { status, stderr, stdout } = spawnSync("node", ["scripts/conformance.mjs", ...words], { encoding: "utf8" });

  const [said, usage] = stderr.trim().split("\n");
  expect(said).toContain(problem);
  expect(usage).toBe("node scripts/conformance.mjs ADDRESS [--token TOKEN] [--space SPACE]");
  expect([status, stdout]).toEqual([2, ""]);
});
