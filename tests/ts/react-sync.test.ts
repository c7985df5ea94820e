// @vitest-environment happy-dom
import { act, createElement, StrictMode } from "react";
import { createRoot } from "react-dom/client";
import { renderToString } from "react-dom/server";
import { expect, test } from "vitest";
import { EverfoldProvider, useRefusals, useSyncStatus } from "../../ts/react.js";
import { scriptedStore } from "./scripted-store.js";

(globalThis as { IS_REACT_ACT_ENVIRONMENT?: boolean }).IS_REACT_ACT_ENVIRONMENT = true;

function Tray() {
  const { state, pending } = useSyncStatus();
  const refusals = useRefusals();
  return createElement("p", null, `${state} ${pending}: ${refusals.map(({ commitId }) => commitId).join(" ")}`);
}

test.each([false, true])("a page shows how sync stands and what was refused, StrictMode %s", (strict) => {
  const { store, scripts } = scriptedStore();
  const container = document.createElement("div");
  const root = createRoot(container);
  const page = createElement(EverfoldProvider, { store }, createElement(Tray));
  act(() => root.render(strict ? createElement(StrictMode, null, page) : page));
  expect(container.textContent).toBe("off 0: ");

  const say = (what: string, value: unknown) =>
    act(() => {
      for (const script of scripts.filter((one) => one.what === what && one.listeners > 0)) {
        script.say({ status: "ready", value });
      }
    });
  say("sync", { state: "pushing", pending: 2 });
  say("refusals", [{ commitId: "a" }, { commitId: "b" }]);
  expect(container.textContent).toBe("pushing 2: a b");

  say("refusals", []);
  expect(container.textContent).toBe("pushing 2: ");

  act(() => root.unmount());
  expect(scripts.every(({ listeners }) => listeners === 0)).toBe(true);
});

test("on a server nothing is known of it", () => {
  const { store } = scriptedStore();

  expect(renderToString(createElement(EverfoldProvider, { store }, createElement(Tray)))).toBe("<p>off 0: </p>");
});
