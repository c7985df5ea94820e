/**
 * Counts what was handed to the store and what came back as written.
 *
 * The store writes in blocks and says how many commits of a block are on disk. When one of them is
 * refused its neighbours are written all the same, and which ones those were is not told: the block
 * is handed over again without it, and what comes back as known only because this import wrote it a
 * moment ago is not counted as known.
 */
import type { IngestProgress } from "everfold";
import type { Booking } from "./booking.ts";

export interface Counts {
  readonly rows: number;
  readonly known: number;
  readonly accountsOpened: number;
}

type Acknowledged = Pick<IngestProgress, "commits" | "knownCommits">;

const NOTHING: Acknowledged = { commits: 0, knownCommits: 0 };

export class Tally {
  counts: Counts = { rows: 0, known: 0, accountsOpened: 0 };

  /** In order: the block acknowledged last, then what is under way. */
  #handed: Booking[] = [];
  #lastBlock = { size: 0, fresh: 0, before: this.counts };
  #seen = NOTHING;
  /** Commits of this import that will come back as known. */
  #ownKnown = 0;

  /** What the second attempt begins with. */
  again(): readonly Booking[] {
    const again = this.#handed;
    this.#handed = [];
    return again;
  }

  /** Passes bookings on and remembers them until they are settled. */
  async *hand(bookings: AsyncIterable<Booking>): AsyncGenerator<Pick<Booking, "commitId" | "events">> {
    this.#seen = NOTHING;
    this.#lastBlock = { size: 0, fresh: 0, before: this.counts };
    for await (const booking of bookings) {
      this.#handed.push(booking);
      const { commitId, events } = booking;
      yield { commitId, events };
    }
  }

  acknowledge({ commits, knownCommits }: Acknowledged): void {
    const size = commits - this.#seen.commits;
    const cameBackKnown = knownCommits - this.#seen.knownCommits;
    const own = Math.min(this.#ownKnown, cameBackKnown);
    this.#handed.splice(0, this.#lastBlock.size);
    const opened = this.#handed.slice(0, size).filter(({ opens }) => opens).length;
    const { rows, known, accountsOpened } = this.counts;
    this.#lastBlock = { size, fresh: size - cameBackKnown + own, before: this.counts };
    this.counts = {
      rows: rows + size - opened,
      known: known + cameBackKnown - own,
      accountsOpened: accountsOpened + opened,
    };
    this.#ownKnown -= own;
    this.#seen = { commits, knownCommits };
  }

  /** Takes a refused commit out of its block. */
  withdraw(commitId: string): Booking {
    const index = this.#handed.findIndex((booking) => booking.commitId === commitId);
    const [withdrawn] = index < 0 ? [] : this.#handed.splice(index, 1);
    if (!withdrawn) throw new Error(`the store refused a commit that it was not given: ${commitId}`);
    this.counts = this.#lastBlock.before;
    this.#ownKnown += this.#lastBlock.fresh;
    return withdrawn;
  }
}
