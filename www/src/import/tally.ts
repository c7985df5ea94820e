/**
 * Counts what was handed to the store and what came back as written.
 *
 * The store tells how many commits are on disk, in the order in which they were handed over, and which
 * ones it refuses; which of them opened accounts is known here.
 */
import type { IngestProgress } from "everfold";
import type { Booking } from "./booking.ts";

export interface Counts {
  readonly rows: number;
  readonly known: number;
  readonly accountsOpened: number;
}

export class Tally {
  counts: Counts = { rows: 0, known: 0, accountsOpened: 0 };

  /** What is under way, in order. */
  readonly #handed = new Map<string, Booking>();
  #acknowledged = 0;
  #known = 0;

  /** Passes bookings on and remembers them until they are settled. */
  async *hand(bookings: AsyncIterable<Booking>): AsyncGenerator<Pick<Booking, "commitId" | "events">> {
    for await (const booking of bookings) {
      const { commitId, events } = booking;
      this.#handed.set(commitId, booking);
      yield { commitId, events };
    }
  }

  acknowledge({ commits, knownCommits }: Pick<IngestProgress, "commits" | "knownCommits">): void {
    let [rows, opened] = [0, 0];
    for (const [commitId, { opens }] of this.#handed) {
      if (this.#acknowledged === commits) break;
      this.#acknowledged += 1;
      this.#handed.delete(commitId);
      if (opens) opened += 1;
      else rows += 1;
    }
    // Accounts that are known are not handed over, unless another tab opens them meanwhile. So what is known are rows first.
    const known = knownCommits - this.#known;
    this.#known = knownCommits;
    const knownRows = Math.min(known, rows);
    this.counts = {
      rows: this.counts.rows + rows,
      known: this.counts.known + knownRows,
      accountsOpened: this.counts.accountsOpened + opened - (known - knownRows),
    };
  }

  /** Takes out a commit that was refused. */
  withdraw(commitId: string): Booking {
    const withdrawn = this.#handed.get(commitId);
    if (!withdrawn) throw new Error(`the store refused a commit that it was not given: ${commitId}`);
    this.#handed.delete(commitId);
    return withdrawn;
  }
}
