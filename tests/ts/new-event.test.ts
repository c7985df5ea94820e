import { describe, expect, test } from "vitest";
import { defineAggregate } from "../../ts/aggregate.js";
import type { AnyEvent } from "../../ts/event.js";
import { checkMetadata, newEvent } from "../../ts/new-event.js";
import type { StandardSchema } from "../../ts/standard-schema.js";
import { thrownBy } from "./thrown.js";

const positive: StandardSchema<{ amount: number }> = {
  "~standard": {
    version: 1,
    vendor: "tests",
    validate: (value) =>
      (value as { amount: number }).amount > 0
        ? { value: value as { amount: number } }
        : { issues: [{ message: "must be positive", path: ["amount"] }] },
  },
};
const later: StandardSchema = {
  "~standard": { version: 1, vendor: "tests", validate: () => Promise.reject(new Error("later")) },
};
const broken: StandardSchema = {
  "~standard": { version: 1, vendor: "tests", validate: (value) => (value as { list: [] }).list.length as never },
};

const till = defineAggregate({
  name: "till",
  version: 1,
  initialState: () => 0,
  decide: (_: { type: "Pay" }): { type: "paid" | "later" | "broken"; data: { amount: number } } => ({
    type: "paid",
    data: { amount: 1 },
  }),
  evolve: (state) => state,
  schemaVersions: { paid: 3 },
  schemas: { paid: positive, later, broken },
});
const defaults = { occurredAt: 5 };

test("an event gets its schema version and the commit's time", () => {
  const event = newEvent({ type: "paid", data: { amount: 1 } }, till, defaults);

  expect(event).toStrictEqual({ type: "paid", schemaVersion: 3, occurredAt: 5, data: { amount: 1 } });
});

test("an event keeps a time and metadata of its own, over those of its commit", () => {
  const event = newEvent({ type: "noted", occurredAt: -1, metadata: { by: "me", at: undefined } }, undefined, {
    occurredAt: 5,
    metadata: { by: "someone", why: "asked" },
  });

  expect(event).toStrictEqual({
    type: "noted",
    schemaVersion: 1,
    occurredAt: -1,
    metadata: { by: "me", why: "asked" },
  });
});

test("what is no part of an event is left out, and null data counts as none", () => {
  const event = newEvent({ type: "noted", data: null, kind: "Event", position: 7 } as AnyEvent, undefined, defaults);

  expect(event).toStrictEqual({ type: "noted", schemaVersion: 1, occurredAt: 5 });
});

describe("an event is refused", () => {
  test.each([
    ["that is none", null, "", "an event is an object with a type"],
    ["without a type", { data: {} }, "type", "type must be a well-formed text that is not empty"],
    ["with an empty type", { type: "" }, "type", "type must be a well-formed text that is not empty"],
    [
      "with half a character in its type",
      { type: "\ud800" },
      "type",
      "type must be a well-formed text that is not empty",
    ],
    [
      "with a date",
      { type: "t", data: { items: [{ at: new Date(0) }] } },
      "data.items[0].at",
      "data.items[0].at is a Date, not a plain object",
    ],
    ["with a list for metadata", { type: "t", metadata: [] }, "metadata", "metadata must be an object"],
    ["with a function in its metadata", { type: "t", metadata: { f() {} } }, "metadata.f", "metadata.f is a function"],
    [
      "with a time that is a Date",
      { type: "t", occurredAt: new Date(0) },
      "occurredAt",
      `occurredAt is ${String(new Date(0))}, must be whole milliseconds since 1970`,
    ],
  ])("%s", (_, event, path, message) => {
    const error = thrownBy(() => newEvent(event as AnyEvent, undefined, defaults));

    expect(error.code).toBe("invalid-event");
    expect(error.details).toEqual({ path });
    expect(error.message).toBe(message);
  });

  test("that its schema refuses, with what the schema said", () => {
    const error = thrownBy(() => newEvent({ type: "paid", data: { amount: 0 } }, till, defaults));

    expect(error.message).toBe("data.amount of paid: must be positive");
    expect(error.details).toEqual({
      path: "data.amount",
      type: "paid",
      issues: [{ message: "must be positive", path: ".amount" }],
    });
  });

  test("whose schema throws", () => {
    const error = thrownBy(() => newEvent({ type: "broken", data: {} }, till, defaults));

    expect(error.code).toBe("invalid-event");
    expect(error.message).toMatch("data of broken: the schema threw: Cannot read properties of undefined");
  });

  test("whose schema answers with a promise", () => {
    expect(thrownBy(() => newEvent({ type: "later", data: {} }, till, defaults)).message).toBe(
      "data of later: the schema answers with a promise; use one that answers at once",
    );
  });
});

test("a message says which event it is about, where there are many", () => {
  const error = thrownBy(() => newEvent({ type: "t", data: { at: 1n } }, undefined, defaults, "events[2]"));

  expect(error.message).toBe("events[2]: data.at is a bigint");
  expect(error.details).toEqual({ path: "data.at" });
});

test("what is written shares nothing with what was given", () => {
  const data = { list: [1] };

  const event = newEvent({ type: "t", data }, undefined, defaults);
  data.list.push(2);

  expect(event.data).toEqual({ list: [1] });
});

test("a commit's metadata is checked by itself", () => {
  expect(checkMetadata(undefined)).toBeUndefined();
  expect(thrownBy(() => checkMetadata({ at: 1n })).message).toBe("metadata.at is a bigint");
});
