/**
 * What the hooks infer from definitions.
 */
import { createElement } from "react";
import {
  EverfoldProvider,
  useAggregate,
  useExecute,
  type useRefusals,
  type useSyncStatus,
  useView,
} from "../../ts/react.js";
import { account, type Balance, balances, store } from "./bank.js";
import { type Equal, proven } from "./claim.js";

export function Page() {
  const row = useView(balances, "1");
  if (row.status === "ready") {
    proven<Equal<typeof row.value, Balance | undefined>>();
  }
  const { value = [] } = useView(balances, { index: "owner", limit: 3 });
  proven<Equal<NonNullable<(typeof value)[0]>["row"], Balance>>();
  // @ts-expect-error: no index has this name
  useView(balances, { index: "name" });

  const one = useAggregate(account, "1");
  proven<Equal<NonNullable<typeof one.value>["state"], { balance: number; frozen: boolean }>>();
  // @ts-expect-error: it may be loading
  one.value.state;

  const execute = useExecute();
  void execute(account, "1", { type: "Deposit", data: { amount: 1 } });
  // @ts-expect-error: not a command of it
  void execute(account, "1", { type: "Depose" });

  proven<Equal<ReturnType<typeof useSyncStatus>["pending"], number>>();
  proven<Equal<ReturnType<typeof useRefusals>[0]["kind"], "refused" | "changed" | "orphaned">>();
  return null;
}

export const app = createElement(EverfoldProvider, { store }, createElement(Page));
