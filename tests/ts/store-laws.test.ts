/**
 * What holds for every history: folding, snapshots, rebuilding and reading agree, and a store that is
 * read again says what it said.
 */
import fc from "fast-check";
import { expect, test } from "vitest";
import { defineAggregate } from "../../ts/aggregate.js";
import { given } from "../../ts/testing.js";
import type { AccountCommand } from "./ledger.js";
import { account, balances, deposit, opened as openedEvent, transfer, withdraw } from "./ledger.js";
import { all, opened } from "./opened.js";

const id = fc.constantFrom("a", "b", "c");
const command: fc.Arbitrary<AccountCommand> = fc.oneof(
  { weight: 5, arbitrary: fc.integer({ min: 0, max: 20 }).map(deposit) },
  { weight: 3, arbitrary: fc.integer({ min: 1, max: 20 }).map(withdraw) },
  fc.constant<AccountCommand>({ type: "Open", data: { owner: "Ann" } }),
);
const step = fc.oneof(
  { weight: 5, arbitrary: fc.record({ id, command }) },
  fc.record({ from: id, to: id, amount: fc.integer({ min: 1, max: 10 }) }),
);

test("law: states, rows and the log agree, however commands are grouped and whatever is refused", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(fc.array(step, { maxLength: 8 }), { maxLength: 8 }), async (groups) => {
      // Snapshots at every third event, so that most loads are a snapshot and a tail.
      const frequent = defineAggregate({ ...account, snapshotEvery: 3, keepSnapshots: 1 });
      const { store } = await opened({ aggregates: [account], decisions: [transfer], projections: [balances] });
      const other = await opened({ aggregates: [frequent] });

      for (const group of groups) {
        await Promise.allSettled(
          group.map((step) =>
            "id" in step
              ? store.execute(account, step.id, step.command)
              : step.from !== step.to && store.execute(transfer, step),
          ),
        );
      }

      const events = await all(store.read());
      await other.store.ingest([events]);
      expect(events.map(({ position }) => position)).toEqual(events.map((_, index) => index + 1));
      const rows = Object.fromEntries((await store.view(balances).list()).map(({ key, row }) => [key, row]));
      given(balances, events as never).then(rows);
      await store.rebuild(balances);
      expect(Object.fromEntries((await store.view(balances).list()).map(({ key, row }) => [key, row]))).toEqual(rows);
      for (const name of ["a", "b", "c"]) {
        const stream = await all(store.read({ streamId: `account-${name}` }));
        expect(stream.map(({ version }) => version)).toEqual(stream.map((_, index) => index + 1));
        const { state, version } = await store.load(account, name);
        expect(version).toBe(stream.length);
        expect(state.balance).toBeGreaterThanOrEqual(0);
        given(account, stream).thenState(state);
        expect(await other.store.load(frequent, name)).toEqual({ state, version });
        const steps = await all(store.replay(account, name));
        expect(steps.map(({ event }) => event)).toEqual(stream);
        expect((steps.at(-1) ?? { state }).state).toEqual(state);
        expect(
          (await all(other.store.replay(frequent, name, { fromVersion: 4 }))).map((step) => [step.state, step.patch]),
        ).toEqual(steps.slice(3).map((step) => [step.state, step.patch]));
        for (const atVersion of [1, 2, 5].filter((at) => at <= version)) {
          given(account, stream.slice(0, atVersion)).thenState(
            (await other.store.load(frequent, name, { atVersion })).state,
          );
        }
      }
      await store.close();
      await other.store.close();
    }),
    { numRuns: 40 },
  );
});

test("law: an export read into an empty store is the same log", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(fc.tuple(id, fc.jsonValue()), { maxLength: 30 }), async (written) => {
      const { store } = await opened();
      const copy = await opened();
      for (const [name, data] of written) {
        await store.append(name, [{ type: "noted", data, metadata: { data } }]);
      }

      await copy.store.import(await store.export());

      expect(await all(copy.store.read())).toEqual(await all(store.read()));
      expect(await all(store.read({ direction: "backward" }))).toEqual((await all(store.read())).reverse());
      await store.close();
      await copy.store.close();
    }),
    { numRuns: 30 },
  );
});

test("law: what is read equals what was written, live and from the log", async () => {
  await fc.assert(
    fc.asyncProperty(fc.jsonValue(), async (data) => {
      const { store } = await opened();

      const receipt = await store.append("notes", [{ type: "noted", data }, openedEvent("Ann")]);

      expect(await all(store.read())).toStrictEqual(receipt.events);
      expect(receipt.events[0]?.data).toStrictEqual(data === null ? undefined : JSON.parse(JSON.stringify(data)));
      await store.close();
    }),
    { numRuns: 60 },
  );
});
