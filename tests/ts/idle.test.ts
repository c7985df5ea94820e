/** Idle work: one task at a time, and none while somebody waits for long work. */
import { expect, test } from "vitest";
import { idleWork } from "../../ts/idle.js";
import { until } from "./tab.js";

const aWhile = () => new Promise((resolve) => setTimeout(resolve, 80));

test("tasks that are put off run one after the other, the last of each key", async () => {
  const idle = idleWork();
  const ran: string[] = [];
  const task = (name: string) => async () => {
    ran.push(`${name} begins`);
    await aWhile();
    ran.push(`${name} ends`);
  };

  idle.later("a", task("a"));
  idle.later("b", task("old b"));
  idle.later("b", task("b"));
  await until(() => ran.length === 4);

  expect(ran).toEqual(["a begins", "a ends", "b begins", "b ends"]);
});

test("nothing begins while long work is waited for, however often it ends", async () => {
  const idle = idleWork();
  let ran = false;
  const [first, second] = [idle.hold(), idle.hold()];

  idle.later("a", async () => {
    ran = true;
  });
  first();
  first();
  await aWhile();
  const whileHeld = ran;
  second();
  await until(() => ran);

  expect(whileHeld).toBe(false);
});

test("a task in steps waits between two of them for long work that began meanwhile", async () => {
  const idle = idleWork();
  const steps: number[] = [];
  let release = () => {};

  idle.later("steps", async () => {
    steps.push(1);
    release = idle.hold();
    await idle.turn();
    steps.push(2);
  });
  await until(() => steps.length === 1);
  await aWhile();
  const whileHeld = [...steps];
  release();
  await until(() => steps.length === 2);

  expect(whileHeld).toEqual([1]);
});

test("what the start does not need waits for a second, and is dropped with the rest", async () => {
  const [idle, stopped] = [idleWork(), idleWork()];
  const ran: string[] = [];
  const task = (name: string) => async () => {
    ran.push(name);
  };

  idle.afterStart("late", task("late"));
  idle.later("soon", task("soon"));
  stopped.afterStart("late", task("dropped"));
  stopped.stop();
  await until(() => ran.length === 1);
  const first = [...ran];
  await until(() => ran.length === 2);

  expect(first).toEqual(["soon"]);
  await aWhile();
  expect(ran).toEqual(["soon", "late"]);
});
