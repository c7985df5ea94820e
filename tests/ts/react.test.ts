// @vitest-environment happy-dom
import { act, createElement, type ReactNode, StrictMode, useEffect, useState } from "react";
import { createRoot, hydrateRoot, type Root } from "react-dom/client";
import { renderToString } from "react-dom/server";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { EverfoldError } from "../../ts/errors.js";
import { EverfoldProvider, useAggregate, useExecute, useSyncStatus, useView } from "../../ts/react.js";
import type { AnyStore } from "../../ts/types.js";
import { account, balances, deposit } from "./ledger.js";
import { scriptedStore } from "./scripted-store.js";

(globalThis as { IS_REACT_ACT_ENVIRONMENT?: boolean }).IS_REACT_ACT_ENVIRONMENT = true;

let container: HTMLElement;
let root: Root;
beforeEach(() => {
  container = document.createElement("div");
  root = createRoot(container);
});
afterEach(() => act(() => root.unmount()));

const within = (store: AnyStore | undefined, ...children: ReactNode[]) =>
  createElement(EverfoldProvider, { store }, ...children);
const render = (node: ReactNode, strict = false) =>
  act(() => root.render(strict ? createElement(StrictMode, null, node) : node));

let renders = 0;
function Row({ id }: { id: string }) {
  const { status, value } = useView(balances, id);
  renders++;
  return `${status}: ${value === undefined ? "none" : value.balance}`;
}
function Richest({ owner }: { owner: string }) {
  const { status, value = [] } = useView(balances, { index: "owner", gte: owner, limit: 3 });
  const [, again] = useState(0);
  useEffect(() => again(1), []);
  return `${status}: ${value.map(({ key, row }) => `${key}=${row.balance}`).join(" ")}`;
}
function Account({ id }: { id: string }) {
  const { status, value, error } = useAggregate(account, id);
  return `${status}: ${value?.state.balance ?? error?.code ?? "none"}`;
}
const ann = { owner: "Ann", balance: 5 };

describe("a view", () => {
  test("is loading, then shows the row, and again when it changes", () => {
    const { store, scripts } = scriptedStore();

    render(within(store, createElement(Row, { id: "a" })));
    expect(container.textContent).toBe("loading: none");

    act(() => scripts[0]?.say({ status: "ready", value: ann }));
    expect(container.textContent).toBe("ready: 5");

    act(() => scripts[0]?.say({ status: "ready", value: undefined }));
    expect(container.textContent).toBe("ready: none");
  });

  test("renders once for what is said once, and not for the same thing again", () => {
    const { store, scripts } = scriptedStore();
    const ready = { status: "ready", value: ann } as const;
    render(within(store, createElement(Row, { id: "a" })));
    renders = 0;

    act(() => scripts[0]?.say(ready));
    act(() => scripts[0]?.say(ready));

    expect(renders).toBe(1);
  });

  test("is watched once, whatever inline object the query is in each render", () => {
    const { store, scripts } = scriptedStore();

    render(within(store, createElement(Richest, { owner: "A" })));
    render(within(store, createElement(Richest, { owner: "A" })));
    act(() => scripts[0]?.say({ status: "ready", value: [{ key: "a", row: ann }] }));

    expect(container.textContent).toBe("ready: a=5");
    expect(scripts.map(({ what }) => what)).toEqual(['balances {"index":"owner","gte":"A","limit":3}']);
  });

  test("follows its key, and lets the old one go", () => {
    const { store, scripts } = scriptedStore();
    render(within(store, createElement(Row, { id: "a" })));
    act(() => scripts[0]?.say({ status: "ready", value: ann }));

    render(within(store, createElement(Row, { id: "b" })));

    expect(container.textContent).toBe("loading: none");
    expect(scripts.map(({ what, listeners }) => [what, listeners])).toEqual([
      ['balances "a"', 0],
      ['balances "b"', 1],
    ]);
  });

  test("follows its store", () => {
    const first = scriptedStore();
    const second = scriptedStore();
    render(within(undefined, createElement(Row, { id: "a" })));
    expect(container.textContent).toBe("loading: none");

    render(within(first.store, createElement(Row, { id: "a" })));
    act(() => first.scripts[0]?.say({ status: "ready", value: ann }));
    expect(container.textContent).toBe("ready: 5");

    render(within(second.store, createElement(Row, { id: "a" })));
    expect(container.textContent).toBe("loading: none");
    expect(first.scripts[0]?.listeners).toBe(0);
  });

  test("that the store refuses is failed, not a broken page", () => {
    const { store } = scriptedStore();
    const refusing = {
      ...store,
      watch() {
        throw new EverfoldError("invalid-argument", 'aggregate "account" is not registered', { argument: "aggregate" });
      },
    } as unknown as AnyStore;

    render(within(refusing, createElement(Account, { id: "a" })));

    expect(container.textContent).toBe("failed: invalid-argument");
  });

  test("needs a provider", () => {
    const silent = vi.spyOn(console, "error").mockImplementation(() => {});
    try {
      expect(() => render(createElement(Row, { id: "a" }))).toThrow("no EverfoldProvider above");
    } finally {
      silent.mockRestore();
    }
  });
});

describe("StrictMode", () => {
  test("ends with one listener, and with none after unmounting", () => {
    const { store, scripts } = scriptedStore();

    render(within(store, createElement(Account, { id: "a" })), true);
    expect(scripts.reduce((sum, { listeners }) => sum + listeners, 0)).toBe(1);

    act(() => scripts.at(-1)?.say({ status: "loading" }));
    for (const script of scripts) {
      act(() => script.say({ status: "ready", value: { state: { balance: 7, frozen: false }, version: 1 } }));
    }
    expect(container.textContent).toBe("ready: 7");

    render(null);
    expect(scripts.map(({ listeners }) => listeners)).toEqual(scripts.map(() => 0));
  });
});

describe("on a server", () => {
  const page = (store: AnyStore | undefined) =>
    within(store, createElement(Row, { id: "a" }), createElement(Account, { id: "a" }), createElement(Sync));
  function Sync() {
    return createElement("p", null, useSyncStatus().state);
  }

  test("everything is loading, with and without a store", () => {
    const { store, scripts } = scriptedStore();

    const html = renderToString(page(undefined));

    expect(html).toContain("loading: none");
    expect(html).toContain("<p>off</p>");
    expect(renderToString(page(store))).toBe(html);
    expect(scripts.every(({ listeners }) => listeners === 0)).toBe(true);
  });

  test("and the browser takes the page over without a mismatch, even if it knows more already", async () => {
    const { store, scripts } = scriptedStore();
    const served = document.createElement("div");
    served.innerHTML = renderToString(page(undefined));
    const mismatches: unknown[] = [];

    const hydrated = await act(() =>
      hydrateRoot(served, page(store), { onRecoverableError: (error) => mismatches.push(error) }),
    );
    act(() => scripts[0]?.say({ status: "ready", value: ann }));

    expect(mismatches).toEqual([]);
    expect(served.textContent).toContain("ready: 5");
    act(() => hydrated.unmount());
  });
});

describe("execute", () => {
  test("is one function for one store, and calls it", async () => {
    const { store } = scriptedStore();
    const seen = new Set<unknown>();
    let execute: AnyStore["execute"] | undefined;
    function Button() {
      execute = useExecute();
      seen.add(execute);
      return null;
    }
    render(within(store, createElement(Button)));
    render(within(store, createElement(Button)));

    expect(seen.size).toBe(1);
    expect(await execute?.(account, "a", deposit(1), { commitId: "c" })).toEqual([
      account,
      "a",
      deposit(1),
      { commitId: "c" },
    ]);
  });

  test("without a store rejects", async () => {
    let execute: AnyStore["execute"] | undefined;
    function Button() {
      execute = useExecute();
      return null;
    }
    render(within(undefined, createElement(Button)));

    await expect(execute?.(account, "a", deposit(1))).rejects.toMatchObject({ code: "store-closed" });
  });
});
