/**
 * Deleting a store whose pending work cannot be counted.
 */
import { afterEach, expect, test, vi } from "vitest";
import { deleteStore } from "../../ts/open.js";
import { publishedRuntime } from "../../ts/wasm.js";

afterEach(() => {
  vi.restoreAllMocks();
  vi.unstubAllGlobals();
});

/** An engine whose stores fail to open with `code`. Returns the names of those that are deleted. */
function failingToOpen(code: string): string[] {
  vi.stubGlobal("indexedDB", {});
  const deleted: string[] = [];
  const Core = {
    open: () => Promise.reject({ code, message: code }),
    deleteStore: async (name: string) => void deleted.push(name),
  };
  vi.spyOn(publishedRuntime, "ask").mockImplementation((_, use) => use({ Core } as never));
  return deleted;
}

test.each(["quota-exceeded", "storage-unavailable", "store-blocked", "storage-newer"])(
  "keeps one that is %s",
  async (code) => {
    const deleted = failingToOpen(code);

    await expect(deleteStore("kept")).rejects.toMatchObject({ code });

    expect(deleted).toEqual([]);
    await deleteStore("kept", { evenIfPending: true });
    expect(deleted).toEqual(["kept"]);
  },
);

test("deletes one that is damaged", async () => {
  const deleted = failingToOpen("storage-corrupt");

  await deleteStore("damaged");

  expect(deleted).toEqual(["damaged"]);
});
