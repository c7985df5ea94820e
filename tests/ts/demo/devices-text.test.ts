import type { Refusal } from "everfold";
import { describe, expect, test } from "vitest";
import { agreementText, verdictOf } from "../../../www/src/devices/agreement.ts";
import { markOf, type PlacedEvent, textOf } from "../../../www/src/devices/commit-text.ts";
import { isOneCommit, ladderOf } from "../../../www/src/devices/ladder.ts";
import type { LoggedCommit, ShownLog } from "../../../www/src/devices/log.ts";
import { askedText, reasonText, seenTexts } from "../../../www/src/devices/refusal-text.ts";
import { statusLine } from "../../../www/src/devices/status-text.ts";
import { ONLINE } from "./fake-device.ts";

const on = (account: string, event: Omit<PlacedEvent, "streamId">) =>
  ({ ...event, streamId: `account-${account}` }) as PlacedEvent;
const withdrawn = on("Household", { type: "account.money_withdrawn", data: { amount: 90_000 } } as PlacedEvent);
const sent = (amount: number) => [
  on("Household", {
    type: "account.money_transferred",
    data: { amount, side: "sent", account: "Holiday" },
  } as PlacedEvent),
  on("Holiday", {
    type: "account.money_transferred",
    data: { amount, side: "received", account: "Household" },
  } as PlacedEvent),
];
const commit = (commitId: string, status: "pending" | "confirmed" = "confirmed"): LoggedCommit => ({
  commitId,
  events: [withdrawn],
  actor: "ben",
  occurredAt: 0,
  status,
});
const log = (ids: string, hash: string | null = ids, pending = ""): ShownLog => ({
  commits: ids.length,
  hash,
  confirmed: [...ids].map((id) => commit(id)),
  pending: [...pending].map((id) => commit(id, "pending")),
});

describe("a commit", () => {
  test("is told in a sentence and in a figure", () => {
    expect([textOf([withdrawn]), markOf([withdrawn])]).toEqual(["Withdrew 900.00\u00a0CZK from Household", "−900"]);
    expect([textOf(sent(12_50)), markOf(sent(12_50))]).toEqual([
      "Sent 12.50\u00a0CZK from Household to Holiday",
      "→12.50",
    ]);
    expect(textOf(sent(1).reverse())).toBe("Sent 0.01\u00a0CZK from Household to Holiday");
    expect(markOf(sent(123_456_789_00))).toBe("→123.5M");
  });
});

describe("two logs", () => {
  test("of the same length are compared by their hashes", () => {
    expect(verdictOf(log("abc"), log("abc"))).toEqual({ kind: "equal" });
    expect(verdictOf(log("abc", "1"), log("abc", "2"))).toEqual({ kind: "differs" });
  });

  test("of different lengths are not equal, and neither is wrong", () => {
    expect(verdictOf(log("a"), log("abc"))).toEqual({ kind: "behind", commits: 2 });
    expect(verdictOf(log("abc"), log("a"))).toEqual({ kind: "ahead" });
  });

  test("cannot be compared while one of them is not known", () => {
    expect(verdictOf(log("a"), null)).toEqual({ kind: "unknown" });
    expect(verdictOf(null, log("a"))).toEqual({ kind: "unknown" });
  });

  test("are told in one sentence, the worst first", () => {
    const [equal, behind, differs, unknown] = [
      { kind: "equal" },
      { kind: "behind", commits: 2 },
      { kind: "differs" },
      { kind: "unknown" },
    ] as const;

    expect(agreementText([equal, equal], 0)).toBe("Equal hashes: every log holds the same commits in the same order.");
    expect(agreementText([equal, behind], 1)).toBe(
      "One device has not heard the latest yet. One commit is still to be sent.",
    );
    expect(agreementText([unknown, differs], 0)).toContain("must never be");
  });
});

describe("the ladder", () => {
  test("puts commits of equal number in one row and leaves a place where one is missing", () => {
    const { rungs, tails } = ladderOf([log("abcd"), log("abc", "x", "yz"), null], { rungs: 2, tails: 1 });

    expect(rungs.map(({ number, cells }) => [number, cells.map((cell) => cell?.commitId)])).toEqual([
      [3, ["c", "c", undefined]],
      [4, ["d", undefined, undefined]],
    ]);
    expect(rungs.every(isOneCommit)).toBe(true);
    expect(tails.map((tail) => tail.map((cell) => cell?.commitId))).toEqual([[undefined, "y", undefined]]);
  });

  test("counts what it does not show", () => {
    expect(ladderOf([log("", null, "abcde"), log("a")], { rungs: 8, tails: 2 }).more).toEqual([3, 0]);
  });

  test("knows commits by their number where only the end of a log was read", () => {
    const end: ShownLog = { ...log(""), commits: 1_000, confirmed: [commit("y"), commit("z")] };

    const { rungs } = ladderOf([end], { rungs: 3, tails: 1 });

    expect(rungs.map(({ number, cells }) => [number, cells[0]?.commitId])).toEqual([
      [998, undefined],
      [999, "y"],
      [1_000, "z"],
    ]);
  });

  test("sees two commits under one number", () => {
    const [rung] = ladderOf([log("a"), log("b")], { rungs: 8, tails: 1 }).rungs;

    expect(rung && isOneCommit(rung)).toBe(false);
  });
});

describe("a refusal", () => {
  const refusal = (fields: object) =>
    ({ kind: "refused", reason: null, stateSeen: [], events: [], ...fields }) as unknown as Refusal;

  test("says what was asked, why not, and what was there", () => {
    const refused = refusal({
      events: [withdrawn],
      reason: {
        code: "refused",
        message: "refused",
        cause: { message: "That is 1.00 CZK more than the account holds." },
      },
      stateSeen: [{ streamId: "account-Household", version: 3, state: { balance: 89_900, frozen: false } }],
    });

    expect(askedText(refused)).toBe("Withdrew 900.00\u00a0CZK from Household");
    expect(reasonText(refused)).toBe("That is 1.00 CZK more than the account holds.");
    expect(seenTexts(refused)).toEqual(["Household held 899.00\u00a0CZK"]);
  });

  test("has words of its own where nobody gave a reason", () => {
    expect(reasonText(refusal({ kind: "orphaned" }))).toContain("restored");
    expect(askedText(refusal({ command: { type: "Freeze", data: {} } }))).toBe("Freeze");
  });
});

test("a status is told in words, with what is still to be sent", () => {
  expect(statusLine(ONLINE)).toEqual({ tone: "good", text: "Up to date" });
  expect(statusLine({ ...ONLINE, state: "offline", pending: 2 })).toEqual({ tone: "away", text: "Offline, 2 to send" });
  expect(statusLine({ ...ONLINE, state: "blocked" }).tone).toBe("bad");
});
