import { given } from "everfold/testing";
import { describe, expect, test } from "vitest";
import { balances } from "../../../www/src/balances.ts";
import { dailyTotals } from "../../../www/src/daily-totals.ts";
import { startOf } from "../../../www/src/day.ts";
import { type AccountEvent, account, Refusal, transfer } from "../../../www/src/ledger.ts";

const opened: AccountEvent = { type: "account.opened", data: { owner: "Jana" } };
const frozen: AccountEvent = { type: "account.frozen", data: { reason: "lost card" } };
const deposited = (amount: number): AccountEvent => ({ type: "account.money_deposited", data: { amount } });
const withdrawn = (amount: number): AccountEvent => ({ type: "account.money_withdrawn", data: { amount } });
const about = (field: string) => (thrown: unknown) => thrown instanceof Refusal && thrown.field === field;

describe("an account", () => {
  test("is opened once, in somebody's name", () => {
    given(account, [])
      .when({ type: "Open", data: { owner: "Jana" } })
      .then(opened);
    given(account, [])
      .when({ type: "Open", data: { owner: "" } })
      .thenRefused(about("owner"));
    given(account, [opened])
      .when({ type: "Open", data: { owner: "Petr" } })
      .thenRefused(about("owner"));
  });

  test("pays out what it holds and no heller more", () => {
    given(account, [opened, deposited(500)])
      .when({ type: "Withdraw", data: { amount: 500 } })
      .thenState({ opened: true, owner: "Jana", balance: 0, frozen: false });
    given(account, [opened, deposited(500)])
      .when({ type: "Withdraw", data: { amount: 501 } })
      .thenRefused("That is 0.01\u00a0CZK more than the account holds.");
  });

  test("moves only amounts above zero", () => {
    for (const amount of [0, -1, 0.5]) {
      for (const type of ["Deposit", "Withdraw"] as const) {
        given(account, [opened, deposited(500)])
          .when({ type, data: { amount } })
          .thenRefused(about("amount"));
      }
    }
  });

  test("holds no more than can be counted exactly", () => {
    given(account, [opened, deposited(Number.MAX_SAFE_INTEGER)])
      .when({ type: "Deposit", data: { amount: 1 } })
      .thenRefused(about("amount"));
  });

  test("moves nothing before it is opened or while it is frozen", () => {
    given(account, [])
      .when({ type: "Deposit", data: { amount: 1 } })
      .thenRefused(about("account"));
    given(account, [opened, frozen])
      .when({ type: "Deposit", data: { amount: 1 } })
      .thenRefused("frozen");
    given(account, [opened, deposited(5), frozen])
      .when({ type: "Withdraw", data: { amount: 1 } })
      .thenRefused("frozen");
  });

  test("is frozen and unfrozen once", () => {
    const freeze = { type: "Freeze", data: { reason: "lost card" } } as const;

    given(account, [opened]).when(freeze).then(frozen);
    given(account, [opened, frozen]).when(freeze).then([]);
    given(account, [opened, frozen]).when({ type: "Unfreeze" }).then({ type: "account.unfrozen" });
    given(account, [opened]).when({ type: "Unfreeze" }).then([]);
  });

  test("takes facts below zero: they happened", () => {
    given(account, [opened, withdrawn(300)]).thenState({ opened: true, owner: "Jana", balance: -300, frozen: false });
  });
});

describe("a transfer", () => {
  const [a, b] = [account.ref("a"), account.ref("b")];
  const command = (amount: number, to = "b") =>
    ({ type: "Transfer", data: { from: "a", to, amount, note: "rent" } }) as const;

  test("is one event on each side", () => {
    given(transfer, [
      [a, [opened, deposited(500)]],
      [b, [opened]],
    ])
      .when(command(200))
      .then([
        [{ type: "account.money_transferred", data: { amount: 200, side: "sent", account: "b", note: "rent" } }],
        [{ type: "account.money_transferred", data: { amount: 200, side: "received", account: "a", note: "rent" } }],
      ]);
  });

  test("is refused with the field that it is about", () => {
    const payer = [a, [opened, deposited(500)]] as const;

    given(transfer, [payer]).when(command(200)).thenRefused(about("to"));
    given(transfer, [payer]).when(command(200, "a")).thenRefused(about("to"));
    given(transfer, [payer, [b, [opened, frozen]]])
      .when(command(200))
      .thenRefused(about("to"));
    given(transfer, [payer, [b, [opened]]])
      .when(command(501))
      .thenRefused(about("amount"));
    given(transfer, [payer, [b, [opened]]])
      .when(command(0))
      .thenRefused(about("amount"));
  });
});

describe("projections", () => {
  const history = [
    { ...opened, streamId: "account-7", occurredAt: startOf("1993-01-01") },
    { ...deposited(700), streamId: "account-7", occurredAt: startOf("1993-01-02") },
    { ...withdrawn(900), streamId: "account-7", occurredAt: startOf("1993-01-01") },
  ];

  test("balances follow every event of an account", () => {
    given(balances, history).then({
      "account-7": {
        account: "7",
        owner: "Jana",
        balance: -200,
        frozen: false,
        lastActivity: startOf("1993-01-02"),
        events: 3,
      },
    });
  });

  test("daily totals go to the day on which it happened", () => {
    given(dailyTotals, history).then({
      "1993-01-01": { day: "1993-01-01", change: -900, events: 2 },
      "1993-01-02": { day: "1993-01-02", change: 700, events: 1 },
    });
  });

  test("balances are found by what they hold and by when they last moved", () => {
    const row = { account: "7", owner: "", balance: 5, frozen: false, lastActivity: 9, events: 1 };

    expect([balances.indexes.balance(row), balances.indexes.lastActivity(row)]).toEqual([5, 9]);
  });
});
