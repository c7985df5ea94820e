import { expect, test } from "vitest";
import { type Leadership, standForLeader } from "../../ts/sync/leader.js";
import { browser, settled, type Tab } from "./outside.js";

/** Tabs that stand, and what each did. */
function standing(count: number) {
  const outside = browser();
  const names = Array.from({ length: count }, (_, place) => "abc"[place] as string);
  const said: string[] = [];
  const tabs = new Map<string, { readonly tab: Tab; readonly leadership: Leadership }>();
  const frozen = new Set<string>();
  let skew = 0;
  for (const name of names) {
    const tab = outside.tab();
    const environment = { ...tab, now: () => tab.now() + skew };
    const leadership = standForLeader(environment, "store", {
      lead: () => said.push(`${name} leads`),
      follow: () => said.push(`${name} follows`),
      beat() {
        for (const other of names) {
          if (other !== name && !frozen.has(other)) {
            tabs.get(other)?.leadership.heard();
          }
        }
      },
    });
    tabs.set(name, { tab, leadership });
  }
  const freeze = (name: string, on: boolean) => {
    tabs.get(name)?.tab.freeze(on);
    frozen[on ? "add" : "delete"](name);
  };
  const of = (name: string) => tabs.get(name) as { readonly tab: Tab; readonly leadership: Leadership };
  /** Timers do not hear of it. */
  const setClock = (by: number) => {
    skew += by;
  };
  return { ...outside, said, of, freeze, setClock };
}

test("one tab leads, and the next one when it is closed", async () => {
  const { said, of, pass } = standing(3);
  await pass(30_000);
  expect(said).toEqual(["a leads"]);

  of("a").leadership.stop();
  await pass(30_000);

  expect(said).toEqual(["a leads", "a follows", "b leads"]);
});

test("a tab that hands over leads again when nobody else waits", async () => {
  const { said, of } = standing(2);
  await settled();
  of("a").leadership.handOver();
  await settled();
  expect(said).toEqual(["a leads", "a follows", "b leads"]);

  of("b").leadership.stop();
  await settled();

  expect(said.slice(3)).toEqual(["b follows", "a leads"]);
});

test("a leader that is frozen loses the lead after ten seconds, and hears of it when it wakes up", async () => {
  const { said, of, pass, freeze } = standing(2);
  await settled();
  freeze("a", true);

  await pass(9_000);
  expect(said).toEqual(["a leads"]);
  await pass(4_000);
  expect(said).toContain("b leads");

  freeze("a", false);
  await pass(20_000);
  expect(said).toEqual(["a leads", "b leads", "a follows"]);
  of("b").leadership.stop();
  await settled();
  expect(said.slice(-2)).toEqual(["b follows", "a leads"]);
});

test.each([-3_600_000, 3_600_000])(
  "a clock that is set by %i ms makes nobody lead for longer or shorter",
  async (ms) => {
    const { said, pass, freeze, setClock } = standing(2);
    await pass(5_000);
    setClock(ms);
    await pass(5_000);
    expect(said).toEqual(["a leads"]);

    freeze("a", true);
    setClock(ms);
    await pass(9_000);
    expect(said).toEqual(["a leads"]);
    await pass(4_000);

    expect(said).toContain("b leads");
  },
);

test("a tab that nobody sees takes the lead from nobody", async () => {
  const { said, of, pass, freeze } = standing(2);
  of("b").tab.set({ visible: false });
  await settled();
  freeze("a", true);

  await pass(60_000);

  expect(said).toEqual(["a leads"]);
});

test("where locks are refused nobody leads, and nothing is asked all the time", async () => {
  const outside = browser();
  let asked = 0;
  const tab = { ...outside.tab(), locks: () => ({ request: () => Promise.reject(++asked) }) };
  const leadership = standForLeader(tab as never, "store", { lead() {}, follow() {}, beat() {} });

  await outside.pass(60_000);

  expect(asked).toBeLessThan(60);
  leadership.stop();
});
