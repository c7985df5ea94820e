/** All that happened to one account, in order, with what it held after each event. */

import type { RecordedEvent } from "everfold";
import { useEffect, useState } from "react";
import { type AccountEvent, account, amountOf } from "../ledger.ts";
import type { Hellers } from "../money.ts";
import { useLedger } from "../shell/ledger-context.ts";
import type { Ledger } from "../store.ts";

export interface Moment {
  readonly event: RecordedEvent<AccountEvent>;
  readonly change: Hellers;
  readonly balanceAfter: Hellers;
}

export type History =
  | { readonly status: "loading" }
  | { readonly status: "ready"; readonly moments: readonly Moment[] }
  | { readonly status: "failed"; readonly error: unknown };

/** Reads on from where it is whenever the account's version has grown. */
export function useHistory(id: string, version: number): History {
  const ledger = useLedger();
  const [history, setHistory] = useState<History>({ status: "loading" });
  const known = history.status === "ready" ? history.moments : NONE;

  useEffect(() => {
    if (known.length >= version) return;
    let wanted = true;
    readOn(ledger, id, known).then(
      (moments) => wanted && setHistory({ status: "ready", moments }),
      (error: unknown) => wanted && setHistory({ status: "failed", error }),
    );
    return () => {
      wanted = false;
    };
  }, [ledger, id, known, version]);

  return history;
}

const NONE: readonly Moment[] = [];

async function readOn(ledger: Ledger, id: string, known: readonly Moment[]): Promise<readonly Moment[]> {
  const moments = [...known];
  const last = known.at(-1);
  const { streamId } = account.ref(id);
  for await (const event of ledger.read({ aggregate: account, streamId, afterPosition: last?.event.position ?? 0 })) {
    const change = amountOf(event);
    moments.push({ event, change, balanceAfter: (moments.at(-1)?.balanceAfter ?? 0) + change });
  }
  return moments;
}
