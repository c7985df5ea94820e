// The ledger's definitions for everfold: the page and the workers of a parallel rebuild import them.

import { defineAggregate, defineProjection } from "everfold";
import { evolveAccount, evolveBalance, initialAccount } from "../ledger/account.js";

export const account = defineAggregate({
  name: "account",
  version: 1,
  initialState: initialAccount,
  decide: (command) => command.data.events,
  evolve: evolveAccount,
});

export const balances = defineProjection({
  name: "balances",
  version: 1,
  partition: "stream",
  from: [account],
  key: (event) => event.streamId,
  evolve: evolveBalance,
});
