// A bank's ledger made from a seed, for checkouts without the real file.
//
// It has the real file's shape where the figures depend on it: as many rows, accounts and days, accounts
// opened evenly over the time (so the traffic grows with it), streams interleaved, the same mix of
// operations and the same size of an event. Its sums mean nothing.

const rowCount = 49_102;
const accountCount = 1_229;
const firstDay = Date.UTC(1993, 0, 1);
const dayCount = 455;
const dayMs = 86_400_000;

// Cumulative shares of the real file's operations.
const operations = [
  [0.29, "withdrawn", { operation: "cash_withdrawal" }],
  [0.49, "deposited", { operation: "cash_deposit" }],
  [0.68, "deposited", { operation: "interest_or_fee", category: "interest" }],
  [0.79, "withdrawn", { operation: "cash_withdrawal", category: "statement_fee" }],
  [
    0.92,
    "withdrawn",
    { operation: "transfer_out", category: "household", counterBank: "QR", counterAccount: "60245131" },
  ],
  [1, "deposited", { operation: "transfer_in", counterBank: "YZ", counterAccount: "30300313" }],
];

export function generateRows() {
  const random = mulberry32(19_930_101);
  const balances = [];
  return Array.from({ length: rowCount }, (_, index) => {
    const time = Math.sqrt(index / rowCount); // traffic grows as accounts are opened
    const opensNow = balances.length <= time * accountCount && balances.length < accountCount;
    const account = opensNow ? balances.length : Math.floor(random() * balances.length);
    const [, direction, details] = opensNow ? operations[1] : pick(random());
    const amount = Math.round(Math.exp(2 + random() * 8) * 100);
    const balance = (balances[account] ?? 0) + (direction === "deposited" ? amount : -amount);
    balances[account] = balance;
    const occurredAt = firstDay + Math.floor(time * dayCount) * dayMs;
    return {
      account: String(1 + account),
      type: `account.money_${direction}`,
      occurredAt,
      data: {
        transactionId: 100_000 + index,
        date: new Date(occurredAt).toISOString().slice(0, 10),
        ...details,
        amount,
        reportedBalance: balance,
      },
    };
  });
}

const pick = (share) => operations.find(([upTo]) => share < upTo);

/** A small seeded generator: the same numbers on every machine. */
function mulberry32(seed) {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}
