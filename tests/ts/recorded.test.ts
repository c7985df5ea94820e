import { expect, test } from "vitest";
import { defineAggregate } from "../../ts/aggregate.js";
import type { CoreBatch } from "../../ts/core/reading.js";
import { recordedEvents } from "../../ts/recorded.js";
import { upcastEvent } from "../../ts/upcast.js";
import { thrownBy } from "./thrown.js";

const batch: CoreBatch = {
  types: ["opened", "frozen"],
  streams: ["account-1"],
  commits: [
    ["c1", 1, 100, "r1", 1, 0, 0, 0, 0],
    ["c2", 2, 200, "r2", 0, "ann", "cause", "talk", 300],
  ],
  numbers: [...[0, 0, 1, 1, 90, 0, 0, 1], ...[1, 0, 2, 2, 190, 1, 3, 1]],
  data: [{ name: "Ann" }, null],
  metadata: [[0, { by: "me" }]],
};

test("a batch becomes plain events, optional fields only where there is something", () => {
  expect(recordedEvents(batch)).toStrictEqual([
    {
      eventId: "c1:1:0",
      streamId: "account-1",
      version: 1,
      position: 1,
      type: "opened",
      data: { name: "Ann" },
      metadata: { by: "me" },
      occurredAt: 90,
      recordedAt: 100,
      commitId: "c1",
      attempt: 1,
      replicaId: "r1",
      status: "confirmed",
      schemaVersion: 1,
    },
    {
      eventId: "c2:2:3",
      streamId: "account-1",
      version: 2,
      position: 2,
      type: "frozen",
      occurredAt: 190,
      recordedAt: 200,
      receivedAt: 300,
      commitId: "c2",
      attempt: 2,
      replicaId: "r2",
      actor: "ann",
      causationId: "cause",
      correlationId: "talk",
      status: "pending",
      schemaVersion: 1,
    },
  ]);
});

function accountWith(first: (data: { name: string }) => unknown) {
  return defineAggregate({
    name: "account",
    version: 1,
    initialState: () => 0,
    decide: (_: { type: "Open" }): { type: "opened" | "frozen"; data?: { owner: { name: string } } } => ({
      type: "frozen",
    }),
    evolve: (state) => state,
    schemaVersions: { opened: 3 },
    upcasters: {
      opened: { 1: first, 2: (data: { owner: string }) => ({ owner: { name: data.owner } }) },
    },
  });
}
const account = accountWith(({ name }) => ({ owner: name }));
const openedAt = (schemaVersion: number) => {
  const [event] = recordedEvents(batch);
  return { ...(event as NonNullable<typeof event>), schemaVersion };
};

test("an old event goes through the whole chain of upcasters", () => {
  const event = openedAt(1);

  upcastEvent(account, event);

  expect(event).toMatchObject({ data: { owner: { name: "Ann" } }, schemaVersion: 3 });
});

test("a current event is left alone", () => {
  const event = openedAt(3);

  upcastEvent(account, event);

  expect(event).toStrictEqual(openedAt(3));
});

test("an event newer than the app is app-outdated", () => {
  const error = thrownBy(() => upcastEvent(account, openedAt(4)));

  expect(error.code).toBe("app-outdated");
  expect(error.message).toBe("event c1:1:0 (opened) has schema version 4, this app knows 3: update the app");
  expect(error.details).toMatchObject({ eventId: "c1:1:0", definition: "account", found: 4, known: 3 });
});

test("an upcaster that throws is reported with its event", () => {
  const bug = new TypeError("data is undefined");
  const throwing = accountWith(() => {
    throw bug;
  });

  const error = thrownBy(() => upcastEvent(throwing, openedAt(1)));

  expect(error.code).toBe("upcast-failed");
  expect(error.message).toBe("event c1:1:0 (opened): the upcaster from 1 to 2 failed: it threw");
  expect(error.cause).toBe(bug);
  expect(error.details).toEqual({
    eventId: "c1:1:0",
    streamId: "account-1",
    version: 1,
    position: 1,
    type: "opened",
    schemaVersion: 1,
  });
});

test("an upcaster that answers later is reported", () => {
  const error = thrownBy(() =>
    upcastEvent(
      accountWith(async () => ({})),
      openedAt(1),
    ),
  );

  expect(error.message).toContain("it returned a promise");
});
