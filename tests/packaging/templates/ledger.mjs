// What a first-time user writes: copied into every project beside its entry. A template adds only what its tool needs.

import { defineAggregate, isEverfoldError, openStore } from "everfold";

const account = defineAggregate({
  name: "account",
  version: 1,
  initialState: () => ({ balance: 0 }),
  decide: (command, state) => {
    if (state.balance + command.data.amount < 0) {
      throw new Error("not enough money");
    }
    return { type: "account.changed", data: { amount: command.data.amount } };
  },
  evolve: (state, event) => ({ balance: state.balance + event.data.amount }),
});

/** Commits, closes, opens again and reads back; the answer is what the test expects, word for word. */
export async function commitAndReadBack(options = {}) {
  const name = `packaging-${Date.now()}`;
  const first = await openStore({ name, aggregates: [account], ...options });
  await first.execute(account, "A1", { type: "Change", data: { amount: 100 } });
  const refusal = await first
    .execute(account, "A1", { type: "Change", data: { amount: -200 } })
    .catch((error) => error);
  // A store in memory is gone once closed.
  const second =
    options.storage === "memory" ? first : await reopened(first, { name, aggregates: [account], ...options });
  const { state, version } = await second.load(account, "A1");
  const types = [];
  for await (const event of second.read()) {
    types.push(event.type);
  }
  // Counted by a part of the engine that is a file of its own.
  const { events } = await second.stats();
  await second.close();
  return `balance ${state.balance} at version ${version}, ${types.join(" ")}, ${isEverfoldError(refusal, "refused") ? "refused" : refusal}, ${events} event`;
}

async function reopened(store, options) {
  await store.close();
  return openStore(options);
}
