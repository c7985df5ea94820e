import { describe, expect, test } from "vitest";
import { formatAmount, formatMoney, formatRoughly, parseAmount, parseTypedAmount } from "../../../www/src/money.ts";

describe("amounts of a file", () => {
  test("become hellers exactly", () => {
    expect(parseAmount("700.00")).toBe(70_000);
    expect(parseAmount("0.1")).toBe(10);
    expect(parseAmount("0.07")).toBe(7);
    expect(parseAmount("1.15")).toBe(115);
    expect(parseAmount("12")).toBe(1_200);
    expect(parseAmount("99999999999.99")).toBe(9_999_999_999_999);
  });

  test("are refused when they are anything else", () => {
    for (const text of [
      "",
      "-1.00",
      "+1.00",
      "1.234",
      "1,50",
      "1e3",
      " 1",
      "1.",
      ".5",
      "0x10",
      "999999999999",
      "NaN",
    ]) {
      expect(parseAmount(text), text).toBeUndefined();
    }
  });
});

describe("amounts that a person types", () => {
  test("may have spaces, thousands and a decimal comma", () => {
    expect(parseTypedAmount("1 250,50")).toBe(125_050);
    expect(parseTypedAmount("1,250.50")).toBe(125_050);
    expect(parseTypedAmount("1,250")).toBe(125_000);
    expect(parseTypedAmount("250 CZK")).toBe(25_000);
  });

  test("may be below zero, which a rule refuses", () => {
    expect(parseTypedAmount("-5")).toBe(-500);
  });

  test("are not guessed at", () => {
    for (const text of ["", "abc", "1.2.3", "1,2,3", "--5", "12,3456", "0,500", "00,500.00"]) {
      expect(parseTypedAmount(text), text).toBeUndefined();
    }
  });
});

describe("amounts on the page", () => {
  test("keep every heller of the largest amount there is", () => {
    expect(formatAmount(Number.MAX_SAFE_INTEGER)).toBe("90,071,992,547,409.91");
    expect(formatAmount(-5)).toBe("-0.05");
    expect(formatMoney(3_924_614_280)).toBe("39,246,142.80\u00a0CZK");
  });

  test("are rough on an axis only", () => {
    expect([0, 99_900, 150_000, 21_000_000_000, 450_000_000_000].map(formatRoughly)).toEqual([
      "0",
      "999",
      "1.5k",
      "210M",
      "4.5B",
    ]);
  });
});
