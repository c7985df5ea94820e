// @vitest-environment happy-dom
import { Activity, act, createElement, StrictMode } from "react";
import { createRoot, type Root } from "react-dom/client";
import { afterEach, expect, test, vi } from "vitest";
import { EverfoldProvider, useAggregate, useExecute, useSyncStatus, useView } from "../../ts/react.js";
import type { AnyStore } from "../../ts/types.js";
import { account, balances, deposit, deposited, opened as openedEvent } from "./ledger.js";
import { opened } from "./opened.js";

(globalThis as { IS_REACT_ACT_ENVIRONMENT?: boolean }).IS_REACT_ACT_ENVIRONMENT = true;

const definitions = { aggregates: [account], projections: [balances] } as const;
const container = document.createElement("div");
let root: Root | undefined;
afterEach(() => act(() => root?.unmount()));

const renders = { a: 0, b: 0 };
let execute: AnyStore["execute"];

function Row({ id }: { id: "a" | "b" }) {
  renders[id]++;
  const { status, value } = useView(balances, `account-${id}`);
  return createElement("p", null, `${id} ${status} ${value?.balance}`);
}
function Page() {
  execute = useExecute();
  const { value: list = [] } = useView(balances, { index: "balance", reverse: true, limit: 2 });
  const { value: ann } = useAggregate(account, "a");
  const { state } = useSyncStatus();
  return createElement(
    "main",
    null,
    createElement(Row, { id: "a" }),
    createElement(Row, { id: "b" }),
    createElement("p", null, `list ${list.map(({ row }) => `${row.owner}=${row.balance}`).join(" ")}`),
    createElement("p", null, `ann ${ann?.state.balance} at ${ann?.version}`),
    createElement("p", null, `sync ${state}`),
  );
}
const lines = () => [...container.querySelectorAll("p")].map(({ textContent }) => textContent);
const shows = (expected: readonly string[]) =>
  act(() => vi.waitFor(() => expect(lines()).toEqual(expected), { interval: 5 }));

test.each([false, true])("a page follows a store, StrictMode %s", async (strict) => {
  const { store } = await opened(definitions);
  await store.append("account-a", [openedEvent("Ann"), deposited(5)]);
  await store.append("account-b", [openedEvent("Bob"), deposited(9)]);
  const page = createElement(EverfoldProvider, { store }, createElement(Page));
  root = createRoot(container);

  act(() => root?.render(strict ? createElement(StrictMode, null, page) : page));
  await shows(["a ready 5", "b ready 9", "list Bob=9 Ann=5", "ann 5 at 2", "sync off"]);

  await act(async () => void (await execute(account, "a", deposit(10))));
  await shows(["a ready 15", "b ready 9", "list Ann=15 Bob=9", "ann 15 at 3", "sync off"]);

  await store.close();
  await act(async () => {});
  expect(lines()).toEqual(["a ready 15", "b ready 9", "list Ann=15 Bob=9", "ann 15 at 3", "sync off"]);
});

test("a row that did not change does not render again", async () => {
  const { store } = await opened(definitions);
  await store.append("account-a", [openedEvent("Ann")]);
  await store.append("account-b", [openedEvent("Bob")]);
  root = createRoot(container);
  const row = createElement(Row, { id: "b" });
  act(() => root?.render(createElement(EverfoldProvider, { store }, row)));
  await shows(["b ready 0"]);
  const before = renders.b;

  await act(async () => void (await store.execute(account, "a", deposit(1))));
  await act(async () => void (await store.view(balances).count()));

  expect(renders.b).toBe(before);
});

test.each([undefined, null, 5])("a row whose key is %j is failed, not a broken page", async (id) => {
  const { store } = await opened(definitions);
  const Wrong = () => createElement("p", null, useView(balances, id as never).error?.code);
  root = createRoot(container);

  act(() => root?.render(createElement(EverfoldProvider, { store }, createElement(Wrong))));

  await shows(["invalid-argument"]);
});

test("a page below a store that was closed says so, and one that is shown again after it is not broken", async () => {
  const { store } = await opened(definitions);
  await store.append("account-a", [openedEvent("Ann"), deposited(5)]);
  const page = createElement(Page);
  const within = (mode: "visible" | "hidden") =>
    createElement(EverfoldProvider, { store }, createElement(Activity, { mode, ...{ children: page } }));
  root = createRoot(container);
  const before = ["a ready 5", "b ready undefined", "list Ann=5", "ann 5 at 2", "sync off"];
  const closed = ["a failed undefined", "b failed undefined", "list ", "ann undefined at undefined", "sync off"];

  act(() => root?.render(within("visible")));
  await shows(before);
  act(() => root?.render(within("hidden")));
  await store.close();
  act(() => root?.render(within("visible")));
  await shows(closed);

  act(() => root?.unmount());
  root = createRoot(container);
  act(() => root?.render(within("visible")));
  await shows(closed);
});
