import { describe, expect, test } from "vitest";
import type { Booking } from "../../../www/src/import/booking.ts";
import { Tally } from "../../../www/src/import/tally.ts";

const row = (line: number): Booking => ({ commitId: `transaction-${line}`, events: [], line, opens: false });
const opening = (line: number): Booking => ({ commitId: `open-${line}`, events: [], line, opens: true });

async function* from(...bookings: readonly Booking[]): AsyncGenerator<Booking> {
  yield* bookings;
}

async function handOver(tally: Tally, ...bookings: readonly Booking[]): Promise<string[]> {
  const ids: string[] = [];
  for await (const { commitId } of tally.hand(from(...bookings))) ids.push(commitId);
  return ids;
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

  test("hands a block over again without the refused one, and calls nothing known that it wrote itself", async () => {
    const tally = new Tally();
    await handOver(tally, row(2), row(3), row(4), row(5), row(6));
    tally.acknowledge({ commits: 1, knownCommits: 0 });

    // Of rows 3 to 5 the last was known before, 4 is refused, 6 waits for the next block.
    tally.acknowledge({ commits: 3, knownCommits: 1 });
    const { line } = tally.withdraw("transaction-4");
    const again = await handOver(tally, ...tally.again());
    tally.acknowledge({ commits: 2, knownCommits: 2 });
    tally.acknowledge({ commits: 3, knownCommits: 2 });

    expect(line).toBe(4);
    expect(again).toEqual(["transaction-3", "transaction-5", "transaction-6"]);
    expect(tally.counts).toEqual({ rows: 4, known: 1, accountsOpened: 0 });
  });

  test("withdraws two of one block, one after the other", async () => {
    const tally = new Tally();
    await handOver(tally, row(2), row(3), row(4));

    tally.acknowledge({ commits: 1, knownCommits: 0 });
    tally.withdraw("transaction-2");
    await handOver(tally, ...tally.again());
    tally.acknowledge({ commits: 1, knownCommits: 1 });
    tally.withdraw("transaction-3");
    await handOver(tally, ...tally.again());
    tally.acknowledge({ commits: 1, knownCommits: 1 });

    expect(tally.counts).toEqual({ rows: 1, known: 0, accountsOpened: 0 });
  });
});
