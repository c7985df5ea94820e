import { expect, test } from "vitest";
import {
  aggregateNameOf,
  checkExpectedVersion,
  checkId,
  checkOrdinal,
  checkTime,
  streamIdOf,
} from "../../ts/stream-id.js";
import { thrownBy } from "./thrown.js";

test("the stream of an aggregate is its name, a hyphen and the id", () => {
  expect(streamIdOf("account", "ACC-1")).toBe("account-ACC-1");
  expect(aggregateNameOf("account-ACC-1")).toBe("account");
  expect(aggregateNameOf("journal")).toBe("");
});

test.each([
  [undefined, "streamId is undefined, must be a text"],
  [null, "streamId is null, must be a text"],
  ["", "streamId is empty"],
  ["a\u0000b", "streamId holds a control character or half of a surrogate pair"],
  ["a\u0085", "streamId holds a control character or half of a surrogate pair"],
  ["a\ud83d", "streamId holds a control character or half of a surrogate pair"],
  ["ä".repeat(257), "streamId is 514 bytes long, at most 512 are allowed"],
])("an id is not %j", (id, message) => {
  const error = thrownBy(() => checkId(id, "streamId"));

  expect(error.message).toBe(message);
  expect(error.details).toEqual({ argument: "streamId" });
});

test.each(["a", "ä".repeat(256), "x".repeat(512), "a b\u200d💶", "e\u0301"])("an id may be %j", (id) => {
  expect(checkId(id, "streamId")).toBe(id);
});

test.each([-1, 0.5, Number.NaN, 2 ** 53, "1", null])("a version is not %s", (version) => {
  expect(thrownBy(() => checkOrdinal(version, "atVersion")).message).toBe(
    `atVersion is ${version}, must be a whole number from 0 and below 2^53`,
  );
});

test("an expected version is a number or one of three words", () => {
  expect(["any", "no-stream", "stream-exists", 0, 7].map((value) => checkExpectedVersion(value))).toHaveLength(5);
  expect(thrownBy(() => checkExpectedVersion("none")).message).toBe(
    'expectedVersion is "none", must be a number, "any", "no-stream" or "stream-exists"',
  );
});

test("a time is in whole milliseconds and may lie before 1970", () => {
  expect(checkTime(-1, "at")).toBe(-1);
  expect(thrownBy(() => checkTime(0.5, "at")).message).toBe("at is 0.5, must be whole milliseconds since 1970");
  expect(thrownBy(() => checkTime(new Date(0), "at")).code).toBe("invalid-argument");
});
