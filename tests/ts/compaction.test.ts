// Merging segments: fewer of them, and everything reads as before.
import { expect, test } from "vitest";
import { isEverfoldError } from "../../ts/errors.js";
import type { StorageFault } from "../../ts/testing/test-store.js";
import { all, opened } from "./opened.js";

async function filled() {
  const { store } = await opened();
  for (let commit = 0; commit < 600; commit += 1) {
    await store.append(`account-${commit % 7}`, [{ type: "happened", data: { commit } }]);
  }
  return store;
}

test("a compacted store has one segment and reads as before", async () => {
  const store = await filled();
  const before = await all(store.read());

  await store.compact();

  expect(await all(store.read())).toEqual(before);
  expect((await store.stats()).segments).toBe(1);
  expect((await store.verify()).ok).toBe(true);
});

test("a compacted store goes on", async () => {
  const store = await filled();

  await store.compact();
  await store.append("account-1", [{ type: "happened", data: {} }]);

  expect(await all(store.read({ afterPosition: 600 }))).toHaveLength(1);
});

test("compacting can be cancelled before a step", async () => {
  const store = await filled();

  await expect(store.compact({ signal: AbortSignal.abort() })).rejects.toMatchObject({ code: "aborted" });
});

const faults: readonly StorageFault[] = ["quota", "unknown", "aborted", "blocked", "closed"];

test.each(faults)(
  "compacting whose storage calls fail with %s, each in turn, changes nothing that is read",
  async (fault) => {
    for (let call = 1; ; call += 1) {
      const { store, storage } = await opened();
      for (let commit = 0; commit < 600; commit += 1) {
        await store.append(`account-${commit % 7}`, [{ type: "happened", data: { commit } }]);
      }
      const before = await all(store.read());
      const callsBefore = storage.calls();

      storage.failCall(call, fault);
      const failed = await store.compact().then(
        () => undefined,
        (error: unknown) => error,
      );
      if (failed === undefined && storage.calls() - callsBefore < call) {
        expect(call).toBeGreaterThan(3);
        return;
      }

      expect(isEverfoldError(failed), `call ${call}`).toBe(true);
      expect(await all(store.read()), `call ${call}`).toEqual(before);
      await store.compact();
      expect(await all(store.read()), `call ${call}`).toEqual(before);
      expect((await store.stats()).segments, `call ${call}`).toBe(1);
      expect(await store.verify(), `call ${call}`).toEqual({ ok: true, problems: [] });
      await store.close();
    }
  },
);
