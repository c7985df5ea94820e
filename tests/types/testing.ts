/**
 * What given, when and then take.
 */
import { given } from "../../ts/testing.js";
import { account, audit, balances, counter } from "./bank.js";

given(account, [{ type: "account.frozen" }])
  .when({ type: "Deposit", data: { amount: 1 } })
  .then([{ type: "account.deposited", data: { amount: 1 } }]);
given(account, [{ type: "account.opened", schemaVersion: 1, data: { name: "Ann" } }]).thenState({
  balance: 0,
  frozen: false,
});
// @ts-expect-error: no event of it
given(account, [{ type: "counted" }]);
// @ts-expect-error: no command of it
given(account, []).when({ type: "Count" });
const decided = given(account, []).when({ type: "Deposit", data: { amount: 1 } });
// @ts-expect-error: no event of it
decided.then([{ type: "counted" }]);

given(audit, [
  [account.ref("a"), [{ type: "account.frozen" }]],
  [counter.ref("c"), [{ type: "counted" }]],
])
  .when({ account: "a", counter: "c" })
  .then([[], [{ type: "counted" }]]);
// @ts-expect-error: no event of that aggregate
given(audit, [[counter.ref("c"), [{ type: "account.frozen" }]]]);

given(balances, [{ streamId: "account-a", type: "account.opened", data: { owner: "Ann" } }]).then({
  "account-a": { owner: "Ann", balance: 0 },
});
// @ts-expect-error: a row has more than that
given(balances, []).then({ "account-a": { owner: "Ann" } });
