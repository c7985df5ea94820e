// The README's example is run as it stands: only the storage is memory, as Node has no IndexedDB.
import { readFileSync } from "node:fs";
import { transform } from "esbuild";
import { expect, test, vi } from "vitest";

const root = new URL("../../", import.meta.url);

function example(): string {
  const [, code] = /```ts\n([\s\S]*?)```/.exec(readFileSync(new URL("README.md", root), "utf8")) ?? [];
  return code ?? "";
}

test("the example of the README runs and prints what it says", async () => {
  const typescript = example()
    .replace('from "everfold"', `from "${new URL("dist/index.js", root).href}"`)
    .replace('name: "ledger",', 'name: "ledger", storage: "memory",');
  const { code } = await transform(typescript, { loader: "ts", format: "esm" });
  const log = vi.spyOn(console, "log").mockImplementation(() => undefined);

  await import(/* @vite-ignore */ `data:text/javascript,${encodeURIComponent(code)}`);

  expect(log).toHaveBeenCalledWith(100, { events: 1 });
  log.mockRestore();
});

test("the example of the README has at most thirty lines", () => {
  expect(example().trim().split("\n").length).toBeLessThanOrEqual(30);
});
