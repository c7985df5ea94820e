/** The parts of the engine that are loaded when they are first called. */
import { afterEach, expect, test, vi } from "vitest";
import { openTestStore } from "../../ts/testing.js";
import { opened } from "./opened.js";
import { wasm } from "./wasm-files.js";

const instantiate = vi.spyOn(WebAssembly, "instantiate");

afterEach(() => void vi.unstubAllGlobals());

test("a part that could not be loaded is an error with its reason, and is asked for again", async () => {
  const answers = [
    () => Promise.reject(new TypeError("no network")),
    () => Promise.resolve(new Response("not here", { status: 404 })),
    () => Promise.resolve(new Response(wasm.tools)),
  ];
  const fetch = vi.fn(() => (answers.shift() ?? (() => Promise.reject(new Error("asked once more"))))());
  vi.stubGlobal("fetch", fetch);
  const at = new URL("https://app.example/everfold-tools.wasm");
  const files = { ...wasm, tools: at };

  // Stores in memory are in the part.
  await expect(openTestStore({ wasm: files })).rejects.toMatchObject({
    code: "wasm-failed",
    message: "a part of the engine could not be loaded: no network",
  });
  await expect(openTestStore({ wasm: files })).rejects.toMatchObject({
    code: "wasm-failed",
    details: { reason: expect.stringContaining("answers 404") },
  });
  const { store } = await opened({ wasm: files });
  await store.append("a-1", [{ type: "added", data: 1 }]);
  expect(await store.verify()).toEqual({ ok: true, problems: [] });
  expect(fetch.mock.calls).toEqual([[at], [at], [at]]);
});

test("a part joins once, whichever of its calls comes first", async () => {
  const { store } = await opened();
  await store.append("a-1", [{ type: "added", data: 1 }]);
  await store.stats();
  await store.close();

  const parts = instantiate.mock.calls.filter(([, imports]) => imports !== undefined && "core" in imports);
  expect(parts).toHaveLength(1);
});

test("a part of another release does not join", async () => {
  const other = Buffer.from(wasm.tools);
  // The last letter of the name of its build, which ends the file.
  other[other.length - 1] = other.at(-1) === 48 ? 49 : 48;
  vi.resetModules();
  const fresh = await import("../../ts/testing.js");

  await expect(fresh.openTestStore({ wasm: { ...wasm, tools: other } })).rejects.toMatchObject({
    code: "wasm-failed",
    details: { reason: "it is of another release than the page: reload the page" },
  });
});
