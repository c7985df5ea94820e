// @vitest-environment happy-dom
import { act, createElement } from "react";
import { createRoot } from "react-dom/client";
import { expect, test } from "vitest";
import { AccountsTable } from "../../../www/src/bank/accounts-table.tsx";

(globalThis as { IS_REACT_ACT_ENVIRONMENT?: boolean }).IS_REACT_ACT_ENVIRONMENT = true;

test("one account is not several", () => {
  const container = document.body.appendChild(document.createElement("div"));
  const root = createRoot(container);
  const rows = [{ account: "7", owner: "", balance: 0, frozen: false, lastActivity: 0, events: 1 }];

  act(() => root.render(createElement(AccountsTable, { rows, caption: "" })));

  expect(container.querySelector("[role=status]")?.textContent).toBe("1 account");
  act(() => root.unmount());
  container.remove();
});

test("a day before the first account is not told as a search that found nothing", () => {
  const container = document.body.appendChild(document.createElement("div"));
  const root = createRoot(container);

  act(() => root.render(createElement(AccountsTable, { rows: [], caption: "" })));

  expect(container.textContent).not.toContain("No account matches");
  expect(container.textContent).toContain("There were no accounts yet.");
  act(() => root.unmount());
  container.remove();
});
