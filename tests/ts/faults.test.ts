/**
 * Every storage call of an operation fails in turn: it then happened as a whole or not at all, the
 * store goes on, and asking again with the same commit id makes it true exactly once.
 */
import { describe, expect, test } from "vitest";
import { isEverfoldError } from "../../ts/errors.js";
import type { StorageFault, TestStorage } from "../../ts/testing/test-store.js";
import { given } from "../../ts/testing.js";
import type { Store } from "../../ts/types.js";
import { account, balances, deposit, deposited, opened as openedEvent, transfer } from "./ledger.js";
import { all, opened } from "./opened.js";

const definitions = { aggregates: [account], decisions: [transfer], projections: [balances] } as const;
type Bank = Store<[typeof account], [typeof transfer], [typeof balances]>;

const operations: Readonly<Record<string, (store: Bank) => Promise<unknown>>> = {
  execute: (store) => store.execute(account, "a", deposit(1), { commitId: "again" }),
  "a decision over two aggregates": (store) =>
    store.execute(transfer, { from: "a", to: "b", amount: 2 }, { commitId: "again" }),
  append: (store) => store.append("account-c", [openedEvent("Cleo"), deposited(3)], { commitId: "again" }),
  commit: (store) =>
    store.commit(
      [
        { streamId: "account-a", events: [deposited(1)] },
        { streamId: "account-b", events: [deposited(1)] },
      ],
      { commitId: "again" },
    ),
  ingest: (store) =>
    store.ingest([
      { commitId: "again", events: [{ streamId: "account-a", ...deposited(1) }] },
      { commitId: "and again", events: [{ streamId: "account-b", ...deposited(1) }] },
    ]),
};

/** A store with two accounts, `records` journal records old: the 256th seals them. */
async function bank(records: number) {
  const test = await opened(definitions);
  const { store } = test;
  await store.append("account-a", [openedEvent("Ann"), deposited(5)]);
  await store.append("account-b", [openedEvent("Bob")]);
  for (let record = 2; record < records; record++) {
    await store.append("account-a", [deposited(1)]);
  }
  await store.view(balances).count();
  return test;
}

async function contentOf(store: Bank) {
  const events = await all(store.read());
  return events.map(({ streamId, version, position, type, data }) => ({ streamId, version, position, type, data }));
}

async function checkWhole(store: Bank): Promise<void> {
  const events = await all(store.read());
  expect(events.map(({ position }) => position)).toEqual(events.map((_, index) => index + 1));
  const rows = Object.fromEntries((await store.view(balances).list()).map(({ key, row }) => [key, row]));
  given(balances, events as never).then(rows);
  expect(await store.verify()).toEqual({ ok: true, problems: [] });
}

async function attempt(act: () => Promise<unknown>): Promise<string> {
  try {
    await act();
    return "done";
  } catch (error) {
    return isEverfoldError(error) ? error.code : `not ours: ${String(error)}`;
  }
}

const codes: Readonly<Record<StorageFault, readonly string[]>> = {
  quota: ["done", "quota-exceeded"],
  unknown: ["done", "storage-unavailable"],
  aborted: ["done", "storage-unavailable"],
  blocked: ["done", "store-blocked"],
  closed: ["done", "store-closed"],
};

describe.each([
  ["in a young store", 3],
  ["at a seal", 255],
])("%s", (_, records) => {
  test.each(Object.entries(operations))(
    "%s happens as a whole or not at all, and again exactly once",
    async (_, act) => {
      const { store, storage } = await bank(records);
      const before = await contentOf(store);
      const callsBefore = storage.calls();
      await act(store);
      await store.view(balances).count();
      const calls = storage.calls() - callsBefore;
      const after = await contentOf(store);
      expect(calls).toBeGreaterThan(0);

      for (let call = 1; call <= calls; call++) {
        for (const [fault, allowed] of Object.entries(codes)) {
          if (records > 3 && fault !== "unknown" && fault !== "quota") {
            continue;
          }
          await failing(act, records, call, fault as StorageFault, allowed, before, after);
        }
      }
    },
  );
});

async function failing(
  act: (store: Bank) => Promise<unknown>,
  records: number,
  call: number,
  fault: StorageFault,
  allowed: readonly string[],
  before: unknown[],
  after: unknown[],
): Promise<void> {
  const { store, storage }: { store: Bank; storage: TestStorage } = await bank(records);
  const where = `call ${call} with ${fault}`;

  storage.failCall(call, fault);
  const outcome = await attempt(async () => {
    await act(store);
    await store.view(balances).count();
  });

  expect(allowed, where).toContain(outcome);
  const found = await contentOf(store);
  if (found.length !== after.length) {
    // Two batches of an ingest are two commits.
    expect(after.slice(0, found.length), where).toEqual(found);
    expect(found.slice(0, before.length), where).toEqual(before);
  }
  await act(store);
  expect(await contentOf(store), where).toEqual(after);
  await checkWhole(store);
  await store.close();
}
