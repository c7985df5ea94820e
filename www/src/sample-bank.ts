/**
 * A bank to try things on: 600 people, two years, exactly 50,000 events.
 *
 * The same every time, because its randomness comes from a seed and its dates are fixed. Each day of
 * the bank is one commit with an id of its own, so that a sample interrupted half way is simply
 * written again: what is there already is known by its id.
 */
import { addDays, type Day, daysBetween, startOf } from "./day.ts";
import { type AccountEvent, account } from "./ledger.ts";
import type { Hellers } from "./money.ts";

export const SAMPLE_EVENTS = 50_000;

const ACCOUNTS = 600;
/** Above the numbers of the real bank file, so that the two can be tried together. */
const FIRST_NUMBER = 80_001;
const FIRST_DAY: Day = "2024-01-01";
const LAST_DAY: Day = "2025-12-31";
const DAYS = daysBetween(FIRST_DAY, LAST_DAY) + 1;
const SEED = 0x5eed_ba4c;

const GIVEN_NAMES = (
  "Adéla Barbora Dana Eliška Hana Ivana Jana Kateřina Lenka Markéta Nela Olga Petra Radka Simona Tereza Věra Zuzana " +
  "Aleš Bohdan Cyril David Emil Filip Hynek Igor Jakub Karel Lukáš Marek Ondřej Pavel Radim Štěpán Tomáš Vojtěch"
).split(" ");
const FAMILY_NAMES = (
  "Bartoš Bláha Čapek Doležal Fiala Hájek Havel Holub Horák Hruška Janda Jelínek Kolář Konečný Kovář Král Kříž Kučera " +
  "Malý Mareš Moravec Musil Navrátil Němec Novák Pokorný Pospíšil Procházka Růžička Ryba Sedlák Sýkora Šimek Tichý Urban Vaněk Zeman"
).split(" ");
const SPENDING = [
  { note: "Groceries", from: 350, to: 3_200 },
  { note: "Rent", from: 9_000, to: 19_500 },
  { note: "Electricity and gas", from: 1_200, to: 4_800 },
  { note: "Card payment", from: 90, to: 6_000 },
  { note: "Cash machine", from: 500, to: 8_000 },
  { note: "Holiday", from: 6_000, to: 48_000 },
] as const;
const TRANSFERS = [
  "Shared dinner",
  "Loan between friends",
  "Birthday",
  "Second-hand bicycle",
  "Children's camp",
] as const;

/** How often the million goes through the sample bank, each time with accounts of its own. */
const ROUNDS = 21;

export const MILLION_EVENTS = ROUNDS * SAMPLE_EVENTS;

/** One commit as `store.ingest` takes it. */
export interface DayOfBank {
  readonly commitId: string;
  readonly events: readonly (AccountEvent & { readonly streamId: string; readonly occurredAt: number })[];
}

interface Customer {
  readonly id: string;
  readonly owner: string;
  readonly opensOn: number;
  readonly payday: number;
  readonly salary: Hellers;
  balance: Hellers;
  frozen: boolean;
}

/** The bank's days in order. No balance goes below zero and nothing leaves a frozen account. */
export function* sampleBank(): Generator<DayOfBank> {
  const random = seeded(SEED);
  const customers = Array.from({ length: ACCOUNTS }, (_, index) => customer(index, random));
  let written = 0;
  for (let index = 0; index < DAYS; index += 1) {
    const day = addDays(FIRST_DAY, index);
    const due = Math.floor((SAMPLE_EVENTS * (index + 1)) / DAYS);
    const events = eventsOf(index, day, due - written, customers, random);
    written += events.length;
    if (events.length > 0) yield { commitId: `sample-${day}`, events };
  }
}

/**
 * The sample bank 21 times, one round after the other, each account under a number that names its
 * round: `80001-r07`. The log of a larger bank, made while it is written.
 */
export function* millionBank(): Generator<DayOfBank> {
  // Kept, as making it anew for every round would take longer than writing it.
  const days = [...sampleBank()];
  for (let round = 1; round <= ROUNDS; round += 1) {
    const suffix = `-r${String(round).padStart(2, "0")}`;
    for (const { commitId, events } of days) {
      yield { commitId: commitId + suffix, events: events.map((event) => inRound(event, suffix)) };
    }
  }
}

type BankEvent = DayOfBank["events"][number];

function inRound(event: BankEvent, suffix: string): BankEvent {
  const streamId = event.streamId + suffix;
  return event.type === "account.money_transferred"
    ? { ...event, streamId, data: { ...event.data, account: event.data.account + suffix } }
    : { ...event, streamId };
}

function eventsOf(
  index: number,
  day: Day,
  due: number,
  customers: readonly Customer[],
  random: Random,
): DayOfBank["events"] {
  const events: (AccountEvent & { streamId: string; occurredAt: number })[] = [];
  let time = startOf(day) + 6 * 3_600_000;
  const book = (who: Customer, event: AccountEvent): void => {
    time += random.between(1_000, 400_000);
    events.push({ ...event, streamId: account.ref(who.id).streamId, occurredAt: time });
  };

  for (const who of customers) {
    if (who.opensOn !== index) continue;
    book(who, { type: "account.opened", data: { owner: who.owner } });
    pay(who, random.crowns(500, 40_000), "First deposit", book);
  }
  const open = customers.filter((who) => who.opensOn <= index);
  const dayOfMonth = Number(day.slice(8));
  for (const who of open) {
    if (who.payday === dayOfMonth && who.opensOn < index && !who.frozen) pay(who, who.salary, "Salary", book);
  }
  while (events.length < due) {
    const who = random.pick(open);
    if (who.frozen) {
      if (random.chance(0.2)) thaw(who, book);
    } else if (random.chance(0.002)) {
      freeze(who, book);
    } else if (due - events.length > 1 && random.chance(0.22)) {
      send(who, random.pick(open), random, book);
    } else {
      spend(who, random, book);
    }
  }
  return events;
}

type Book = (who: Customer, event: AccountEvent) => void;

function pay(who: Customer, amount: Hellers, note: string, book: Book): void {
  who.balance += amount;
  book(who, { type: "account.money_deposited", data: { amount, note } });
}

function spend(who: Customer, random: Random, book: Book): void {
  const { note, from, to } = random.pick(SPENDING);
  const amount = Math.min(random.crowns(from, to), who.balance);
  if (amount <= 0) {
    pay(who, random.crowns(200, 5_000), "Cash deposit", book);
    return;
  }
  who.balance -= amount;
  book(who, { type: "account.money_withdrawn", data: { amount, note } });
}

function send(from: Customer, to: Customer, random: Random, book: Book): void {
  const amount = Math.min(random.crowns(100, 12_000), from.balance);
  if (from === to || to.frozen || amount <= 0) return;
  const note = random.pick(TRANSFERS);
  from.balance -= amount;
  to.balance += amount;
  book(from, { type: "account.money_transferred", data: { amount, side: "sent", account: to.id, note } });
  book(to, { type: "account.money_transferred", data: { amount, side: "received", account: from.id, note } });
}

function freeze(who: Customer, book: Book): void {
  who.frozen = true;
  book(who, { type: "account.frozen", data: { reason: "Card reported lost" } });
}

function thaw(who: Customer, book: Book): void {
  who.frozen = false;
  book(who, { type: "account.unfrozen" });
}

function customer(index: number, random: Random): Customer {
  return {
    id: String(FIRST_NUMBER + index),
    owner: `${random.pick(GIVEN_NAMES)} ${random.pick(FAMILY_NAMES)}`,
    opensOn: index < 40 ? 0 : Math.floor(random.next() ** 1.6 * (DAYS - 60)),
    payday: random.between(1, 29),
    salary: random.crowns(21_000, 64_000),
    balance: 0,
    frozen: false,
  };
}

interface Random {
  /** From 0 up to, not including, 1. */
  next(): number;
  /** A whole number from `low` up to, not including, `high`. */
  between(low: number, high: number): number;
  /** Whole crowns, as hellers. */
  crowns(low: number, high: number): Hellers;
  chance(probability: number): boolean;
  pick<T>(choices: readonly T[]): T;
}

/** Mulberry32: 32 bits of state, the same numbers on every machine. */
function seeded(seed: number): Random {
  let state = seed >>> 0;
  const next = (): number => {
    state = (state + 0x6d2b_79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 0x1_0000_0000;
  };
  const between = (low: number, high: number): number => low + Math.floor(next() * (high - low));
  return {
    next,
    between,
    crowns: (low, high) => between(low, high) * 100,
    chance: (probability) => next() < probability,
    pick: (choices) => {
      const chosen = choices[between(0, choices.length)];
      if (chosen === undefined) throw new Error("there is nothing to pick from");
      return chosen;
    },
  };
}
