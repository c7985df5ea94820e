import { describe, expect, test } from "vitest";
import type { Booking } from "../../../www/src/import/booking.ts";
import { Tally } from "../../../www/src/import/tally.ts";

const row = (line: number): Booking => ({ commitId: `transaction-${line}`, events: [], line, opens: false });
const opening = (line: number): Booking => ({ commitId: `open-${line}`, events: [], line, opens: true });

async function* from(...bookings: readonly Booking[]): AsyncGenerator<Booking> {
  yield* bookings;
}

async function handOver(tally: Tally, ...bookings: readonly Booking[]): Promise<void> {
  for await (const _ of tally.hand(from(...bookings)));
}

describe("a tally", () => {
  test("counts rows, not the accounts that were opened for them", async () => {
    const tally = new Tally();
    await handOver(tally, opening(2), row(2), row(3), row(4));

    tally.acknowledge({ commits: 3, knownCommits: 1 });
    expect(tally.counts).toEqual({ rows: 2, known: 1, accountsOpened: 1 });
    tally.acknowledge({ commits: 4, knownCommits: 2 });
    expect(tally.counts).toEqual({ rows: 3, known: 2, accountsOpened: 1 });
  });

  test("counts what another tab has just written as known, and each account as opened once", async () => {
    const tally = new Tally();
    await handOver(tally, opening(2), row(2), row(3), opening(4), row(4), row(5));

    tally.acknowledge({ commits: 3, knownCommits: 3 });
    expect(tally.counts).toEqual({ rows: 2, known: 2, accountsOpened: 0 });
    tally.acknowledge({ commits: 6, knownCommits: 3 });
    expect(tally.counts).toEqual({ rows: 4, known: 2, accountsOpened: 1 });
  });

  test("leaves out what is refused, and says on which line it was", async () => {
    const tally = new Tally();
    await handOver(tally, row(2), opening(3), row(3), row(4));

    expect(tally.withdraw("transaction-2").line).toBe(2);
    tally.acknowledge({ commits: 2, knownCommits: 0 });
    expect(tally.counts).toEqual({ rows: 1, known: 0, accountsOpened: 1 });
    expect(tally.withdraw("transaction-4").line).toBe(4);
    expect(() => tally.withdraw("transaction-4")).toThrow("not given");
  });
});
