import { inspect } from "node:util";
import { expect, test } from "vitest";
import { EverfoldError, errorFromCore, isEverfoldError } from "../../ts/errors.js";

const conflict = new EverfoldError("conflict", "stream a-1 is at version 2, expected 1", {
  streamId: "a-1",
  expected: 1,
  actual: 2,
});

test("an error is known by its code", () => {
  expect(isEverfoldError(conflict)).toBe(true);
  expect(isEverfoldError(conflict, "conflict")).toBe(true);
  expect(isEverfoldError(conflict, "refused")).toBe(false);
  expect(isEverfoldError(new Error("conflict"))).toBe(false);
  expect(isEverfoldError({ code: "conflict" })).toBe(false);
  expect(isEverfoldError(undefined)).toBe(false);
});

test("an error of another copy of the package is known too", async () => {
  const address = "../../ts/errors.js?copy";
  const copy = (await import(/* @vite-ignore */ address)) as typeof import("../../ts/errors.js");

  const error = new copy.EverfoldError("aborted", "aborted", {});

  expect(error instanceof EverfoldError).toBe(false);
  expect(isEverfoldError(error, "aborted")).toBe(true);
});

test("an error prints its name, message, code and details", () => {
  const printed = inspect(conflict);

  expect(String(conflict)).toBe("EverfoldError: stream a-1 is at version 2, expected 1");
  expect(printed).toContain("code: 'conflict'");
  expect(printed).toContain("actual: 2");
});

test("what the core rejects with keeps its code and details", () => {
  const rejected = { code: "storage-corrupt", message: "segment 7 is damaged", details: { record: "segment 7" } };

  const error = errorFromCore(rejected);

  expect(isEverfoldError(error, "storage-corrupt")).toBe(true);
  expect(error.details).toEqual({ record: "segment 7" });
  expect(errorFromCore(error)).toBe(error);
});

test("what the core does not know is added by its caller", () => {
  const rejected = { code: "commit-id-reused", message: "the commit id was used before, with other content" };

  expect(errorFromCore(rejected, { commitId: "c1" }).details).toEqual({ commitId: "c1" });
});

test("anything else that comes out of the core means that the engine stopped", () => {
  const trap = new WebAssembly.RuntimeError("unreachable");

  const error = errorFromCore(trap);

  expect(error.code).toBe("wasm-failed");
  expect(error.message).toBe("the engine stopped: unreachable");
  expect(error.cause).toBe(trap);
});
