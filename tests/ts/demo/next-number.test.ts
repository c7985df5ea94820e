import { expect, test } from "vitest";
import { nextNumber } from "../../../www/src/bank/next-number.ts";

test("a new account gets the number after the highest", () => {
  expect(nextNumber([])).toBe("1001");
  expect(nextNumber(["7", "1005", "1002"])).toBe("1006");
});

test("what no person counts with is passed over: a number of many digits, a text", () => {
  const taken = ["9007199254740993", "12345678901234567", "1e21", "0x7fff", "Infinity", "CZ65-0800", "1001"];

  expect(nextNumber(taken)).toBe("1002");
});

test("a number is free, always", () => {
  const taken = ["999999999"];
  for (let count = 0; count < 3; count += 1) taken.push(nextNumber(taken));

  expect(taken.slice(1)).toEqual(["1000000000", "1000000001", "1000000002"]);
});

test("a bank may have more accounts than a call takes arguments", () => {
  expect(nextNumber(Array.from({ length: 300_000 }, (_, index) => `${index}`))).toBe("300000");
});
