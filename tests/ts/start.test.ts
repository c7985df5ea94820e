import { spawnSync } from "node:child_process";
import { expect, test } from "vitest";

test.each([
  [["--foo"], "Unknown option '--foo'"],
  [["--port", "abc"], "--port is abc, must be a number from 1 to 65535"],
  [["--port", "70000"], "--port is 70000, must be a number from 1 to 65535"],
  [["--port"], "Option '--port <value>' argument missing"],
])("npm start with %j says what is wrong, and what there is, before it builds anything", (words, problem) => {
  const { status, stderr, stdout } = spawnSync("node", ["scripts/start.mjs", ...words], { encoding: "utf8" });

  expect(stderr.trim().split("\n")).toEqual([problem, "npm start -- [--dev] [--port NUMBER]"]);
  expect([status, stdout]).toEqual([1, ""]);
});
