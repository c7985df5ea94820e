// @vitest-environment happy-dom
import { act, createElement } from "react";
import { createRoot, type Root } from "react-dom/client";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { type Ask, useLatest } from "../../../www/src/shell/latest.ts";

(globalThis as { IS_REACT_ACT_ENVIRONMENT?: boolean }).IS_REACT_ACT_ENVIRONMENT = true;

interface Asked {
  readonly key: string;
  readonly signal: AbortSignal;
  readonly tell: (done: number) => void;
  readonly resolve: (value: string) => void;
  readonly reject: (error: Error) => void;
}

let container: HTMLElement;
let root: Root;
let asked: Asked[];

const ask: Ask<string, string> = (key, signal, tell) =>
  new Promise((resolve, reject) => {
    asked.push({ key, signal, tell, resolve, reject });
    signal.addEventListener("abort", () => reject(new Error("aborted")));
  });

function Answer({ wanted }: { readonly wanted: string | null }) {
  const { answer, waiting, done, error } = useLatest(wanted, ask);
  const shown = answer === null ? "nothing" : `${answer.key}=${answer.value}`;
  return `${shown}${waiting ? ` waiting ${done}` : ""}${error instanceof Error ? ` ${error.message}` : ""}`;
}

const want = (wanted: string | null) => act(() => root.render(createElement(Answer, { wanted })));
const pass = (milliseconds: number) => act(() => vi.advanceTimersByTimeAsync(milliseconds));
const answer = (index: number, value: string) =>
  act(async () => {
    asked[index]?.resolve(value);
  });
const keys = () => asked.map(({ key }) => key);

beforeEach(() => {
  vi.useFakeTimers();
  asked = [];
  container = document.createElement("div");
  root = createRoot(container);
});
afterEach(() => {
  act(() => root.unmount());
  vi.useRealTimers();
});

test("an answer that comes quickly is shown although another is wanted by then, and the one wanted last follows", async () => {
  want("a");
  want("b");
  want("c");
  await answer(0, "1");

  expect(container.textContent).toBe("a=1 waiting 0");
  await answer(1, "3");

  expect([keys(), container.textContent]).toEqual([["a", "c"], "c=3"]);
});

test("slow work that is no longer wanted is ended, and the next begins when the control rests", async () => {
  want("a");
  await pass(200);
  want("b");
  expect(asked[0]?.signal.aborted).toBe(true);
  await pass(100);
  want("c");
  await pass(100);
  expect(keys()).toEqual(["a"]);
  await pass(200);

  expect([keys(), asked[1]?.signal.aborted]).toEqual([["a", "c"], false]);
  await answer(1, "3");
  expect(container.textContent).toBe("c=3");
});

test("how far the work is, is told while it is wanted", async () => {
  want("a");
  act(() => asked[0]?.tell(0.5));
  expect(container.textContent).toBe("nothing waiting 0.5");

  await pass(200);
  want("b");
  act(() => asked[0]?.tell(0.75));

  expect(container.textContent).toBe("nothing waiting 0");
});

test("a failure is told, and the next question is asked all the same", async () => {
  want("a");
  await act(async () => asked[0]?.reject(new Error("no")));
  expect(container.textContent).toBe("nothing no");

  want("b");
  await answer(1, "2");

  expect(container.textContent).toBe("b=2");
});

test("nothing is shown once nothing is wanted, and the same question is asked again", async () => {
  want("a");
  await answer(0, "1");
  want(null);
  expect(container.textContent).toBe("nothing");

  want("a");
  await answer(1, "2");

  expect(container.textContent).toBe("a=2");
});
