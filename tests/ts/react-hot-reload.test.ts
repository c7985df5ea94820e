// @vitest-environment happy-dom

import { expect, test } from "vitest";
import type { LiveState } from "../../ts/types.js";
import { type Balance, balances } from "./ledger.js";
import { scriptedStore } from "./scripted-store.js";

/** What is used of `react-refresh/runtime`, which has no types. */
interface RefreshRuntime {
  injectIntoGlobalHook(target: unknown): void;
  register(component: unknown, name: string): void;
  createSignatureFunctionForTransform(): (component?: unknown, hooks?: string) => unknown;
  performReactRefresh(): void;
}

test("a component that is replaced keeps what it shows and what it listens to", async () => {
  // The order counts: the runtime must be there before React's renderer.
  const runtime = "react-refresh/runtime";
  const { default: refresh } = (await import(/* @vite-ignore */ runtime)) as { default: RefreshRuntime };
  refresh.injectIntoGlobalHook(globalThis);
  const { act, createElement } = await import("react");
  const { createRoot } = await import("react-dom/client");
  const { EverfoldProvider, useView } = await import("../../ts/react.js");
  (globalThis as { IS_REACT_ACT_ENVIRONMENT?: boolean }).IS_REACT_ACT_ENVIRONMENT = true;

  const { store, scripts } = scriptedStore();
  const container = document.createElement("div");
  const shown: string[] = [];
  const load = (text: (state: LiveState<Balance | undefined>) => string) => {
    function Row() {
      const state = useView(balances, "a");
      shown.push(text(state));
      return text(state);
    }
    refresh.createSignatureFunctionForTransform()(Row, "useView{state}");
    refresh.register(Row, "Row.tsx Row");
    return Row;
  };
  const Row = load(({ status }) => `old ${status}`);
  await act(async () => createRoot(container).render(createElement(EverfoldProvider, { store }, createElement(Row))));
  await act(async () => scripts[0]?.say({ status: "ready", value: { owner: "Ann", balance: 5 } }));
  shown.length = 0;

  load(({ status, value }) => `new ${status} ${value?.balance}`);
  await act(async () => refresh.performReactRefresh());

  expect(container.textContent).toBe("new ready 5");
  expect(new Set(shown)).toEqual(new Set(["new ready 5"]));
  expect(scripts.map(({ listeners }) => listeners)).toEqual([1]);
});
