import { expect, test } from "vitest";
import { SAMPLES } from "../../../www/src/bank/sample-run.ts";
import { type Account, account } from "../../../www/src/ledger.ts";
import { MILLION_EVENTS, millionBank, SAMPLE_EVENTS, sampleBank } from "../../../www/src/sample-bank.ts";

const days = [...sampleBank()];

test("the sample bank has exactly the events that it promises, in commits that a store takes", () => {
  expect(days.reduce((sum, { events }) => sum + events.length, 0)).toBe(SAMPLE_EVENTS);
  expect(Math.max(...days.map(({ events }) => events.length))).toBeLessThanOrEqual(1_000);
  expect(Math.min(...days.map(({ events }) => events.length))).toBeGreaterThan(0);
  expect(new Set(days.map(({ commitId }) => commitId)).size).toBe(days.length);
});

test("the sample bank is the same every time", () => {
  expect(JSON.stringify([...sampleBank()]) === JSON.stringify(days)).toBe(true);
});

test("the sample bank's events happen on the day of their commit, one after the other", () => {
  const events = days.flatMap(({ commitId, events }) =>
    events.map(({ occurredAt }) => ({ occurredAt, day: commitId.slice("sample-".length) })),
  );

  const elsewhere = events.filter(({ occurredAt, day }) => new Date(occurredAt).toISOString().slice(0, 10) !== day);
  const backwards = events.filter(({ occurredAt }, index) => occurredAt <= (events[index - 1]?.occurredAt ?? 0));

  expect([elsewhere, backwards]).toEqual([[], []]);
});

test("the sample bank keeps the rules of the ledger", () => {
  const accounts = new Map<string, Account>();
  const breaches = days.flatMap(({ events }) =>
    events.filter((event) => {
      const before = accounts.get(event.streamId) ?? account.initialState();
      const after = account.evolve(before, event);
      accounts.set(event.streamId, after);
      const moved = after.balance !== before.balance;
      return !Number.isSafeInteger(after.balance) || after.balance < 0 || (moved && (!before.opened || before.frozen));
    }),
  );

  expect(breaches).toEqual([]);
  expect(accounts.size).toBe(600);
});

test("the million is the sample bank 21 times, each time with accounts and commits of its own", () => {
  const streams = new Set<string>();
  const others = new Set<string>();
  const commits = new Set<string>();
  let written = 0;
  for (const day of millionBank()) {
    commits.add(day.commitId);
    written += day.events.length;
    for (const event of day.events) {
      streams.add(event.streamId);
      if (event.type === "account.money_transferred") others.add(`account-${event.data.account}`);
    }
  }

  expect([written, streams.size, commits.size]).toEqual([MILLION_EVENTS, 21 * 600, 21 * days.length]);
  expect(streams).toContain("account-80001-r07");
  expect([...others].filter((other) => !streams.has(other))).toEqual([]);
  expect([[...commits][0], [...commits].at(-1)]).toEqual([SAMPLES.million.first, SAMPLES.million.last]);
}, 60_000);

test("the sample bank begins and ends with the commits by which an unfinished one is told", () => {
  expect([days[0]?.commitId, days.at(-1)?.commitId]).toEqual([SAMPLES.bank.first, SAMPLES.bank.last]);
});
