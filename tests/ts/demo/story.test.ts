// @vitest-environment happy-dom
import { act, createElement } from "react";
import { createRoot, type Root } from "react-dom/client";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { Story } from "../../../www/src/devices/story.tsx";
import { fakeDevice } from "./fake-device.ts";

const { done, ended, fail } = vi.hoisted(() => ({
  done: [] as string[],
  ended: vi.fn(),
  fail: { next: false },
}));

vi.mock("../../../www/src/devices/story-steps.ts", () => ({
  STORY: ["one", "two", "three"].map((does) => ({
    does,
    tells: () => `${does} is done`,
    run: async () => {
      if (fail.next) throw new Error("no");
      done.push(does);
    },
  })),
  endStory: ended,
}));

(globalThis as { IS_REACT_ACT_ENVIRONMENT?: boolean }).IS_REACT_ACT_ENVIRONMENT = true;

let container: HTMLElement;
let root: Root;
const [anna, ben] = [fakeDevice().store, fakeDevice().store];

beforeEach(() => {
  vi.useFakeTimers();
  done.length = 0;
  fail.next = false;
  ended.mockClear();
  container = document.body.appendChild(document.createElement("div"));
  root = createRoot(container);
});
afterEach(() => {
  act(() => root.unmount());
  container.remove();
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

function show({ calm = false, ready = true } = {}): void {
  const query = { matches: calm, addEventListener: () => {}, removeEventListener: () => {} };
  vi.stubGlobal("matchMedia", () => query);
  act(() => root.render(createElement(Story, { anna, ben, ready })));
}
const buttons = () => [...container.querySelectorAll("button")].map(({ textContent }) => textContent);
const click = (name: string) =>
  act(async () => {
    const found = [...container.querySelectorAll("button")].find(({ textContent }) => textContent === name);
    if (!found) throw new Error(`there is no button ${name}`);
    found.click();
  });
const pass = (milliseconds: number) => act(() => vi.advanceTimersByTimeAsync(milliseconds));
const told = () => container.querySelector("[role=status]")?.textContent;

test("goes on by itself, with time to read each step, until it is over", async () => {
  show();
  await click("Play the story");
  await pass(0);
  expect([done, told()]).toEqual([["one"], "one is done"]);

  await pass(4_000);
  expect(done).toEqual(["one"]);
  await pass(1_000);
  expect(done).toEqual(["one", "two"]);
  await pass(5_000);

  expect([done.length, told(), buttons()]).toEqual([3, "three is done", ["Done"]]);
  expect(ended).not.toHaveBeenCalled();
  await click("Done");
  expect(ended).toHaveBeenCalledTimes(1);
});

test("waits while it is paused, and goes on from there", async () => {
  show();
  await click("Play the story");
  await pass(0);
  await click("Pause");
  await pass(60_000);
  expect(done).toEqual(["one"]);

  await click("two");
  expect(done).toEqual(["one", "two"]);
  await click("Go on by itself");
  await pass(5_000);

  expect(done).toEqual(["one", "two", "three"]);
});

test("waits for its buttons where less motion is wanted", async () => {
  show({ calm: true });
  await click("Play the story");
  await pass(60_000);
  expect([done, buttons()]).toEqual([[], ["one", "Skip the story"]]);

  await click("one");
  await pass(60_000);

  expect(done).toEqual(["one"]);
});

test("a step that fails is told and can be tried again", async () => {
  show({ calm: true });
  await click("Play the story");
  fail.next = true;
  await click("one");
  expect(container.querySelector("[role=alert]")?.textContent).toContain("no");

  fail.next = false;
  await click("one");

  expect([done, container.querySelector("[role=alert]")]).toEqual([["one"], null]);
});

test("nobody stays offline by it, whether it is skipped or the page is left", async () => {
  show({ calm: true });
  await click("Play the story");
  await click("Skip the story");
  expect([ended.mock.calls.length, buttons()]).toEqual([1, ["Play the story"]]);

  await click("Play the story");
  act(() => root.render(null));

  expect(ended).toHaveBeenCalledTimes(2);
});

test("is not offered while there is no server to tell it with", () => {
  show({ ready: false });

  expect(container.querySelector("button")?.disabled).toBe(true);
  expect(container.textContent).toContain("npm start");
});
