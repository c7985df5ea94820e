// @vitest-environment happy-dom
import { type AnyStore, openStore } from "everfold";
import { EverfoldProvider } from "everfold/react";
import { act, createElement } from "react";
import { createRoot, type Root } from "react-dom/client";
import { afterEach, beforeEach, expect, test } from "vitest";
import { OpenAccount } from "../../../www/src/bank/open-account.tsx";
import { account } from "../../../www/src/ledger.ts";
import { wasm } from "../wasm-files.js";

(globalThis as { IS_REACT_ACT_ENVIRONMENT?: boolean }).IS_REACT_ACT_ENVIRONMENT = true;

const openBank = () => openStore({ name: "open-account", storage: "memory", aggregates: [account], wasm });

let bank: Awaited<ReturnType<typeof openBank>>;
/** What was asked of the bank. */
let commands: Promise<unknown>[];
let container: HTMLElement;
let root: Root;

beforeEach(async () => {
  bank = await openBank();
  container = document.body.appendChild(document.createElement("div"));
  root = createRoot(container);
  commands = [];
  const execute = (...call: Parameters<AnyStore["execute"]>) => {
    const command = (bank as AnyStore).execute(...call);
    commands.push(command);
    return command;
  };
  const store = { ...bank, execute } as AnyStore;
  act(() => root.render(createElement(EverfoldProvider, { store }, createElement(OpenAccount, { taken: [] }))));
});
afterEach(async () => {
  act(() => root.unmount());
  container.remove();
  await bank.close();
});

const owner = () => container.querySelector<HTMLInputElement>("input[name=owner]") as HTMLInputElement;
const alerts = () => [...container.querySelectorAll("[role=alert]")].map(({ textContent }) => textContent);
const press = (text: string) =>
  act(async () => {
    [...container.querySelectorAll("button")].find(({ textContent }) => textContent === text)?.click();
  });
const submit = () =>
  container.querySelector("form")?.dispatchEvent(new Event("submit", { bubbles: true, cancelable: true }));
const settled = () =>
  act(async () => {
    await Promise.allSettled(commands);
    // The form has heard of it, too.
    await new Promise((resolve) => setTimeout(resolve));
  });

test("asked for twice, an account is opened once and nobody else is blamed", async () => {
  owner().value = "Anna";
  act(() => void submit());
  act(() => void submit());
  await settled();

  expect(alerts()).toEqual([]);
  expect((await bank.load(account, "1001")).version).toBe(1);
  expect((await bank.stats()).events).toBe(1);
});

test("what was wrong is forgotten when the dialog is closed", async () => {
  await press("Open an account");
  act(() => void submit());
  await settled();
  expect(alerts()).toEqual(["Say whose account it is."]);

  await press("Cancel");

  expect(alerts()).toEqual([]);
});
