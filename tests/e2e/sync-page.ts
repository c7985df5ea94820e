/**
 * What the page of the sync tests has: the package as it is published, with the rules and the balances of
 * the demo, and a token as the test wants it.
 */
import { type AnyEverfoldError, isEverfoldError, openStore, type Problem } from "everfold";
import { balances } from "../../www/src/balances.ts";
import { dailyTotals } from "../../www/src/daily-totals.ts";
import { importStatement } from "../../www/src/import/import-statement.ts";
import { account, transfer } from "../../www/src/ledger.ts";

interface OpenOptions {
  readonly subject?: string;
  readonly space?: string;
  readonly batchSize?: number;
  readonly adopt?: "empty" | "rebase";
  /** False: as before there was a server. */
  readonly sync?: boolean;
  /** Called instead of asking the server for a token. */
  readonly token?: (why: { readonly refresh: boolean }) => Promise<string>;
}

const problems: Problem["code"][] = [];

/** Opens a device under a name, on the server that the page is from. */
async function open(name: string, options: OpenOptions = {}) {
  const { subject = "anna", space = "bank", token = () => askToken(subject, space), batchSize, adopt } = options;
  const sync = { url: location.origin, space, subject, token, batchSize, adopt };
  const store = await openStore({
    name,
    aggregates: [account],
    decisions: [transfer],
    projections: [balances, dailyTotals],
    onProblem: ({ code }) => void problems.push(code),
    sync: options.sync === false ? undefined : sync,
  });
  // What is seldom needed is fetched when the page is idle: a test that cuts the network does not wait for that.
  await store.stats();
  return store;
}

async function askToken(subject: string, space: string, ttl = 3_600): Promise<string> {
  const answer = await fetch("/dev/token", {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ subject, space, ttl }),
  });
  return ((await answer.json()) as { token: string }).token;
}

type DeviceStore = Awaited<ReturnType<typeof open>>;

/** Where a device stands: what a test compares. */
async function standing(store: DeviceStore) {
  const { state, pending, leader, commits, hash, blockedBy } = store.sync.status();
  const rows = await store.view(balances).list();
  return {
    state,
    pending,
    leader,
    commits,
    hash,
    blockedBy: (blockedBy as AnyEverfoldError | null)?.code ?? null,
    balances: rows.map(({ row }): [string, number] => [row.account, row.balance]),
    events: (await store.stats()).events,
    refusals: (await store.refusals.list()).map(({ kind, commitId, reason }) => ({
      kind,
      commitId,
      code: reason?.code,
    })),
  };
}

/** What a call ended with: `done`, or its code. */
async function codeOf(call: Promise<unknown>): Promise<string> {
  try {
    await call;
    return "done";
  } catch (error) {
    return isEverfoldError(error) ? error.code : `not ours: ${String(error)}`;
  }
}

/** Imports a transactions file, as the demo does. */
function importText(store: DeviceStore, text: string) {
  return importStatement(store, new Blob([text]), { signal: new AbortController().signal, onProgress: () => {} });
}

const synced = { open, askToken, standing, codeOf, importText, problems, account, transfer };

/** Everything above, for `page.evaluate`. */
export type Synced = typeof synced;

declare global {
  interface Window {
    synced: Synced;
    /** What a test keeps between two evaluations. */
    device: DeviceStore;
  }
}

window.synced = synced;
