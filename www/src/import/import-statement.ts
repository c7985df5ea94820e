/**
 * Writes a bank's transactions file into the ledger as facts.
 *
 * Each row is a commit of its own whose id is made from the bank's transaction id. Importing the same
 * file again, or going on after a cancel or a killed browser, therefore writes only what is missing:
 * the store knows the rest by their ids and says how many they were.
 */
import { isEverfoldError } from "everfold";
import { balances } from "../balances.ts";
import type { Ledger } from "../store.ts";
import { type Booking, bookingsOf } from "./booking.ts";
import { PROBLEMS_SHOWN, type Problem, rowsOf } from "./statement.ts";
import { Tally } from "./tally.ts";

/** How far an import is. Rows count once they are on disk. */
export interface ImportProgress {
  readonly rows: number;
  /** Those of the rows that the ledger held already. */
  readonly known: number;
  readonly accountsOpened: number;
  readonly broken: number;
  /** The first of the broken lines. */
  readonly problems: readonly Problem[];
}

export interface ImportOptions {
  readonly signal: AbortSignal;
  readonly onProgress: (progress: ImportProgress) => void;
}

const KNOWN_WITH_OTHER_CONTENT = "The ledger holds this transaction_id with other content.";
const TOO_LARGE = "This row is larger than the ledger can hold.";

/** Imports every row that can be read. Rejects with `aborted` when it is cancelled: what was reported is kept. */
export async function importStatement(
  ledger: Ledger,
  file: Blob,
  { signal, onProgress }: ImportOptions,
): Promise<ImportProgress> {
  const opened = new Set((await ledger.view(balances).list()).map(({ row }) => row.account));
  const tally = new Tally();
  const problems: Problem[] = [];
  let broken = 0;

  const list = (problem: Problem): void => {
    broken += 1;
    if (problems.length < PROBLEMS_SHOWN) problems.push(problem);
  };
  const progress = (): ImportProgress => ({ ...tally.counts, broken, problems: [...problems] });

  async function* bookings(): AsyncGenerator<Booking> {
    for await (const row of rowsOf(file)) {
      if ("problem" in row) list(row);
      else yield* bookingsOf(row.line, row.transaction, opened);
    }
  }

  await ledger.ingest(tally.hand(bookings()), {
    signal,
    onProgress: (done) => {
      tally.acknowledge(done);
      onProgress(progress());
    },
    onRefused: ({ commitId, error }) => {
      const { line, opens } = tally.withdraw(commitId);
      // An account that was opened meanwhile, from another file in another tab, is open: nothing is wrong with the row.
      if (opens) return;
      const reused = isEverfoldError(error, "commit-id-reused");
      list({ line, problem: reused ? KNOWN_WITH_OTHER_CONTENT : TOO_LARGE });
    },
  });
  return progress();
}
