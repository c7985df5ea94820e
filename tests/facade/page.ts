/**
 * What the page of these tests has: the API as the package has it, the small bank, and the core behind
 * an open store, for the test that makes it trap.
 */
import { defineAggregate } from "../../ts/aggregate.js";
import type { Core } from "../../ts/core.js";
import { realEnvironment } from "../../ts/environment.js";
import { deleteStore, isEverfoldError } from "../../ts/index.js";
import { openStoreIn } from "../../ts/open.js";
import type { Problem } from "../../ts/types.js";
import { account, balances, deposit, deposited, opened, transfer, withdraw } from "../ts/ledger.js";
import { inRust } from "./in-rust.js";
import { counts, everything, shifting, sums, superstitious, weight } from "./sums.js";

const problems: Problem["code"][] = [];
const cores: Core[] = [];

/** As a newer app has it. */
const newer = defineAggregate({ ...account, schemaVersions: { "account.deposited": 2 } });

/** Opens the bank under a name. */
function open(
  name: string,
  options: { durability?: "strict" | "relaxed"; withoutViews?: boolean; sums?: boolean; newer?: boolean } = {},
) {
  const environment = { ...realEnvironment, coreOpened: (core: Core) => void cores.push(core) };
  const all = [balances, sums, everything, superstitious, shifting, counts] as const;
  const projections = (options.withoutViews ? [] : options.sums ? all : [balances]) as typeof all;
  return openStoreIn(environment, {
    name,
    aggregates: [options.newer ? newer : account],
    decisions: [transfer],
    projections,
    durability: options.durability ?? "strict",
    onProblem: ({ code }) => void problems.push(code),
  });
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

const bank = {
  open,
  deleteStore,
  codeOf,
  problems,
  cores,
  account,
  balances,
  sums,
  everything,
  superstitious,
  shifting,
  counts,
  weight,
  transfer,
  deposit,
  deposited,
  opened,
  withdraw,
  inRust,
};

/** Everything above, for `page.evaluate`. */
export type Bank = typeof bank;

declare global {
  interface Window {
    bank: Bank;
    /** What a test keeps between two evaluations. */
    store: Awaited<ReturnType<typeof open>>;
    acknowledged: (version: number) => void;
  }
}

window.bank = bank;
