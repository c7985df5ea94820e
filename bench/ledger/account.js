// The rules of the ledger that every store in the benchmark folds with.
//
// One set of reducers for all, so that a figure compares the stores and not the reducers. Imported by
// pages, by the SQLite worker and by Node (which checks the answers), hence no import of its own.
//
// Money is integer minor units. Reducers return new values and change nothing they were given, as
// everfold asks; the peers use them unchanged.

/** @typedef {{ balance: number, transactions: number, lastDate: string | null }} Account */

/** @returns {Account} */
export const initialAccount = () => ({ balance: 0, transactions: 0, lastDate: null });

/** The state of one account after one more of its events. */
export function evolveAccount(state, event) {
  const { amount, date } = event.data;
  const change = event.type === "account.money_deposited" ? amount : -amount;
  return { balance: state.balance + change, transactions: state.transactions + 1, lastDate: date };
}

/** One row of the balances projection, keyed by stream, after one more event of that stream. */
export function evolveBalance(row, event) {
  const { amount } = event.data;
  const change = event.type === "account.money_deposited" ? amount : -amount;
  return row === undefined
    ? { balance: change, transactions: 1 }
    : { balance: row.balance + change, transactions: row.transactions + 1 };
}
