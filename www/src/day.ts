/**
 * Days of the calendar, in UTC whatever the clock of the machine says.
 *
 * A bank's date has no time of day: it is UTC midnight and shown in UTC. 'As of a day' therefore
 * means until the last millisecond of that day in UTC, and two people in two time zones see the
 * same balances.
 */

/** An ISO date such as `1993-01-31`. */
export type Day = string;

const MILLISECONDS_A_DAY = 86_400_000;

const dayFormat = new Intl.DateTimeFormat("en-GB", {
  timeZone: "UTC",
  day: "numeric",
  month: "short",
  year: "numeric",
});

const timeFormat = new Intl.DateTimeFormat("en-GB", {
  timeZone: "UTC",
  hour: "2-digit",
  minute: "2-digit",
  second: "2-digit",
});

/** True for a date that is in the calendar: `1993-02-30` is not. */
export function isDay(text: string): text is Day {
  if (!/^\d{4}-\d{2}-\d{2}$/.test(text)) return false;
  const time = Date.parse(`${text}T00:00:00.000Z`);
  return !Number.isNaN(time) && dayOf(time) === text;
}

export function dayOf(time: number): Day {
  return new Date(time).toISOString().slice(0, 10);
}

/** UTC midnight at which the day begins. */
export function startOf(day: Day): number {
  return Date.parse(`${day}T00:00:00.000Z`);
}

/** The last millisecond that belongs to the day. */
export function endOf(day: Day): number {
  return startOf(day) + MILLISECONDS_A_DAY - 1;
}

export function daysBetween(first: Day, last: Day): number {
  return Math.round((startOf(last) - startOf(first)) / MILLISECONDS_A_DAY);
}

export function addDays(day: Day, count: number): Day {
  return dayOf(startOf(day) + count * MILLISECONDS_A_DAY);
}

/** `31 Jan 1993`. */
export function formatDay(time: number): string {
  return dayFormat.format(time);
}

/** `31 Jan 1993`, with the time of day in UTC where there is one. */
export function formatMoment(time: number): string {
  return time % MILLISECONDS_A_DAY === 0 ? formatDay(time) : `${formatDay(time)}, ${timeFormat.format(time)} UTC`;
}
