// @vitest-environment happy-dom
import { type AnyStore, openStore } from "everfold";
import { EverfoldProvider } from "everfold/react";
import { act, createElement } from "react";
import { createRoot, type Root } from "react-dom/client";
import { afterEach, beforeEach, expect, test } from "vitest";
import { MoveMoney } from "../../../www/src/account/move-money.tsx";
import { account, transfer } from "../../../www/src/ledger.ts";
import { wasm } from "../wasm-files.js";

(globalThis as { IS_REACT_ACT_ENVIRONMENT?: boolean }).IS_REACT_ACT_ENVIRONMENT = true;

const openBank = () =>
  openStore({ name: "move-money", storage: "memory", aggregates: [account], decisions: [transfer], wasm });

let bank: Awaited<ReturnType<typeof openBank>>;
/** The last command that was given. */
let command: Promise<unknown>;
let container: HTMLElement;
let root: Root;

beforeEach(async () => {
  bank = await openBank();
  for (const id of ["1001", "1002"]) await bank.execute(account, id, { type: "Open", data: { owner: id } });
  await bank.execute(account, "1001", { type: "Deposit", data: { amount: 100 } });
  container = document.body.appendChild(document.createElement("div"));
  root = createRoot(container);
  command = Promise.resolve();
  const execute = (...call: Parameters<AnyStore["execute"]>) => (command = (bank as AnyStore).execute(...call));
  const store = { ...bank, execute } as AnyStore;
  act(() => root.render(createElement(EverfoldProvider, { store }, createElement(MoveMoney, { id: "1001" }))));
});
afterEach(async () => {
  act(() => root.unmount());
  container.remove();
  await bank.close();
});

const choose = (kind: string) =>
  act(() => [...container.querySelectorAll("label")].find(({ textContent }) => textContent === kind)?.click());
const type = (field: string, text: string): void => {
  const input = container.querySelector<HTMLInputElement>(`input[name=${field}]`);
  if (!input) throw new Error(`there is no field ${field}`);
  input.value = text;
};
const submit = () =>
  act(async () => {
    container.querySelector("form")?.dispatchEvent(new Event("submit", { bubbles: true, cancelable: true }));
    await Promise.allSettled([command]);
    // The form has heard of it, too.
    await new Promise((resolve) => setTimeout(resolve));
  });
const alerts = () => [...container.querySelectorAll("[role=alert]")].map(({ textContent }) => textContent);
const balanceOf = async (id: string) => (await bank.load(account, id)).state.balance;

test("a transfer to nobody is a matter of its field", async () => {
  choose("Transfer");
  type("amount", "1");
  await submit();

  expect(alerts()).toEqual(["Say which account it goes to."]);
  expect(container.querySelector("input[name=to]")?.getAttribute("aria-invalid")).toBe("true");
  type("to", "1002");
  await submit();
  expect([alerts(), await balanceOf("1002")]).toEqual([[], 100]);
});

test("the button keeps the focus while its command is carried out", async () => {
  const button = container.querySelector<HTMLButtonElement>("button[type=submit]");
  const seen: boolean[] = [];
  const watcher = new MutationObserver(() => seen.push(button?.disabled ?? true));
  if (button) watcher.observe(button, { attributes: true });
  type("amount", "1");
  await submit();
  watcher.disconnect();

  expect([await balanceOf("1001"), seen.includes(false), seen.includes(true)]).toEqual([200, true, false]);
});
