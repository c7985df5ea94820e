import { describe, expect, test } from "vitest";
import { lastIndexUpTo } from "../../../www/src/bank/day-index.ts";
import { addDays, dayOf, daysBetween, endOf, formatDay, formatMoment, isDay, startOf } from "../../../www/src/day.ts";

describe("a day", () => {
  test("lasts from UTC midnight to the millisecond before the next", () => {
    expect(startOf("1993-01-31")).toBe(Date.UTC(1993, 0, 31));
    expect(endOf("1993-01-31") + 1).toBe(startOf("1993-02-01"));
    expect(dayOf(endOf("1993-01-31"))).toBe("1993-01-31");
  });

  test("is in the calendar", () => {
    expect(["1993-01-31", "1996-02-29"].every(isDay)).toBe(true);
    expect(["1993-02-30", "1995-02-29", "1993-1-1", "31.1.1993", "", "1993-13-01"].some(isDay)).toBe(false);
  });

  test("is counted across years", () => {
    expect(daysBetween("1993-12-31", "1994-01-01")).toBe(1);
    expect(addDays("1996-02-28", 2)).toBe("1996-03-01");
  });

  test("is shown with its time only where there is one", () => {
    expect(formatDay(startOf("1993-01-05"))).toBe("5 Jan 1993");
    expect(formatMoment(startOf("1993-01-05"))).toBe("5 Jan 1993");
    expect(formatMoment(startOf("1993-01-05") + 3_723_000)).toBe("5 Jan 1993, 01:02:03 UTC");
  });
});

test("a day between two busy days stands at the one before", () => {
  const days = ["2024-01-01", "2024-01-03", "2024-01-09"];

  const places = ["2023-12-31", "2024-01-01", "2024-01-02", "2024-01-08", "2024-01-09", "2025-01-01"];

  expect(places.map((day) => lastIndexUpTo(days, day))).toEqual([0, 0, 0, 1, 2, 2]);
});
