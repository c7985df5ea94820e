// @vitest-environment happy-dom
import { EverfoldError, type Refusal } from "everfold";
import { act, createElement } from "react";
import { createRoot, type Root } from "react-dom/client";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { DEVICES } from "../../../www/src/devices/device.ts";
import { DevicePanel } from "../../../www/src/devices/device-panel.tsx";
import type { LoggedCommit, ShownLog } from "../../../www/src/devices/log.ts";
import { account, Refusal as RuleRefusal, transfer } from "../../../www/src/ledger.ts";
import { type FakeDevice, fakeDevice, ONLINE } from "./fake-device.ts";

(globalThis as { IS_REACT_ACT_ENVIRONMENT?: boolean }).IS_REACT_ACT_ENVIRONMENT = true;

let container: HTMLElement;
let root: Root;

beforeEach(() => {
  localStorage.clear();
  container = document.body.appendChild(document.createElement("div"));
  root = createRoot(container);
});
afterEach(() => {
  act(() => root.unmount());
  container.remove();
});

const show = (device: FakeDevice, log: ShownLog | null = null) =>
  act(() => root.render(createElement(DevicePanel, { device: DEVICES[0], store: device.store, log })));
const texts = (selector: string) => [...container.querySelectorAll(selector)].map(({ textContent }) => textContent);
const button = (name: string) => {
  const found = [...container.querySelectorAll("button")].find(({ textContent }) => textContent === name);
  if (!found) throw new Error(`there is no button ${name}`);
  return found;
};
const choose = (text: string) =>
  act(() => [...container.querySelectorAll("label")].find(({ textContent }) => textContent?.includes(text))?.click());
const submit = (amount: string) =>
  act(async () => {
    const field = container.querySelector<HTMLInputElement>("input[name=amount]");
    const form = container.querySelector("form");
    if (!field || !form) throw new Error("there is no form");
    field.value = amount;
    form.dispatchEvent(new Event("submit", { bubbles: true, cancelable: true }));
  });
const commit = (commitId: string, status: LoggedCommit["status"]): LoggedCommit => ({
  commitId,
  events: [{ type: "account.money_withdrawn", data: { amount: 500 }, streamId: "account-Household" }],
  actor: status === "confirmed" ? "anna" : undefined,
  occurredAt: 0,
  status,
});
const logOf = (...commits: LoggedCommit[]): ShownLog => ({
  commits: 1,
  hash: null,
  confirmed: commits.filter(({ status }) => status === "confirmed"),
  pending: commits.filter(({ status }) => status === "pending"),
});
const refusal = (fields: Partial<Refusal> = {}): Refusal =>
  ({
    commitId: "c",
    kind: "refused",
    reason: { code: "refused", message: "That is 5.00 CZK more than the account holds." },
    stateSeen: [{ streamId: "account-Household", version: 2, state: { balance: 100, frozen: false } }],
    events: [commit("c", "pending").events[0]],
    retry: async () => ({}),
    dismiss: async () => {},
    ...fields,
  }) as Refusal;

test("shows what each account holds and where sync stands", () => {
  const device = fakeDevice({ Holiday: 300, Household: 12_00 });
  show(device);
  expect(texts(".device-accounts label")).toEqual(["Holiday 3.00", "Household 12.00"]);
  expect(texts(".sync-state")).toEqual(["Up to date"]);

  act(() => device.status.say({ ...ONLINE, state: "offline", pending: 2, leader: false }));

  expect(texts(".sync-state")).toEqual(["Offline, 2 to send"]);
  expect(container.textContent).toContain("another tab leads");
});

test("acts on the account that is chosen", async () => {
  const device = fakeDevice({ Holiday: 300, Household: 12_00 });
  show(device);

  await submit("1.50");
  choose("Holiday");
  choose("Deposit");
  await submit("2");
  choose("Transfer");
  await submit("1");

  expect(device.executed).toEqual([
    [account, "Household", { type: "Withdraw", data: { amount: 150 } }],
    [account, "Holiday", { type: "Deposit", data: { amount: 200 } }],
    [transfer, { type: "Transfer", data: { from: "Holiday", to: "Household", amount: 100 } }],
  ]);
});

test("says below the form what is refused at once", async () => {
  const device = fakeDevice({ Household: 100 }, async () => {
    const cause = new RuleRefusal("amount", "That is 1.00 CZK more than the account holds.");
    throw new EverfoldError("refused", "refused", { reason: cause.message } as never, { cause });
  });
  show(device);

  await submit("2");
  expect(texts("[role=alert]")).toEqual(["That is 1.00 CZK more than the account holds."]);
  await submit("two");
  expect(texts("[role=alert]")).toEqual(["Enter an amount like 250 or 1,250.50."]);
});

test("asks once for what is sent twice before it is answered", async () => {
  let answered = (): void => {};
  const device = fakeDevice(
    { Household: 12_00 },
    () => new Promise<unknown>((resolve) => (answered = () => resolve({}))),
  );
  show(device);

  await submit("1");
  await submit("1");
  expect(device.executed).toHaveLength(1);
  await act(async () => answered());
  await submit("2");

  expect(device.executed).toHaveLength(2);
});

test("a transfer from the only account has nowhere to go", async () => {
  const device = fakeDevice({ Household: 12_00 });
  show(device);

  choose("Transfer");
  await submit("1");

  expect([device.executed, texts("[role=alert]")]).toEqual([[], ["There is no other account to send it to."]]);
});

test("marks what is pending, and says once that it is confirmed", () => {
  const device = fakeDevice({ Household: 100 });
  show(device, logOf(commit("a", "confirmed"), commit("b", "pending")));
  expect(texts(".device-events li .mark")).toEqual(["Pending"]);

  show(device, logOf(commit("a", "confirmed"), commit("b", "confirmed")));

  expect(texts(".device-events li .mark")).toEqual(["Confirmed"]);
  expect(texts(".event-by")).toEqual(["by Anna", "by Anna"]);
});

test("tells a refusal with its reason and the state seen, and does what is asked about it", async () => {
  const device = fakeDevice({ Household: 100 });
  const [retry, dismiss] = [vi.fn(async () => ({}) as never), vi.fn(async () => {})];
  device.refusals.say([refusal({ retry, dismiss })]);
  show(device);

  const [card = ""] = texts(".refusal");
  expect(card).toContain("Withdrew 5.00\u00a0CZK from Household");
  expect(card).toContain("That is 5.00 CZK more than the account holds.");
  expect(card).toContain("Household held 1.00\u00a0CZK");
  await act(async () => button("Retry").click());
  await act(async () => button("Dismiss").click());

  expect([retry.mock.calls.length, dismiss.mock.calls.length]).toEqual([1, 1]);
  act(() => device.refusals.say([]));
  expect(texts(".refusal")).toEqual([]);
});

test("a retry that is refused again says so and keeps the card", async () => {
  const device = fakeDevice({ Household: 100 });
  const cause = new RuleRefusal("amount", "Still too much.");
  const retry = () => Promise.reject(new EverfoldError("refused", "refused", {} as never, { cause }));
  device.refusals.say([refusal({ retry })]);
  show(device);

  await act(async () => button("Retry").click());

  expect(texts("[role=alert]")).toEqual(["Still refused: Still too much."]);
  expect(texts(".refusal")).toHaveLength(1);
});

test("what was changed or lost by the server is told as that", () => {
  const device = fakeDevice({ Household: 100 });
  device.refusals.say([
    refusal({ kind: "changed", reason: null }),
    refusal({ commitId: "d", kind: "orphaned", reason: null }),
  ]);
  show(device);

  expect(texts(".refusal h3")).toEqual(["Decided differently", "Gone from the server"]);
});

test("the switch is kept, and is the same in every place that shows it", () => {
  const device = fakeDevice();
  show(device);
  const online = () => container.querySelector("[role=switch]")?.getAttribute("aria-checked");

  act(() => container.querySelector<HTMLElement>("[role=switch]")?.click());

  expect(online()).toBe("false");
  expect(JSON.parse(localStorage.getItem("devices") ?? "{}").offline).toEqual(["a"]);
  act(() => container.querySelector<HTMLElement>("[role=switch]")?.click());
  expect(online()).toBe("true");
});
