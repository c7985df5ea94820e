/**
 * The page while it is developed: served by Vite, with the sync server at the same address.
 */
import { createServer as createHttpServer } from "node:http";
import type { AddressInfo } from "node:net";
import { fileURLToPath } from "node:url";
import { createServer } from "vite";
import { afterEach, expect, test, vi } from "vitest";

const closing: (() => unknown)[] = [];

afterEach(async () => {
  vi.unstubAllEnvs();
  for (const close of closing.splice(0)) {
    await close();
  }
});

test("calls of sync go to the sync server, the page does not", async () => {
  const asked: string[] = [];
  const syncServer = createHttpServer((request, answer) => {
    asked.push(`${request.method} ${request.url}`);
    answer.end("ok");
  });
  await new Promise<void>((resolve) => syncServer.listen(0, "localhost", resolve));
  closing.push(() => syncServer.close());
  vi.stubEnv("EVERFOLD_SYNC_SERVER", `http://localhost:${(syncServer.address() as AddressInfo).port}/`);
  const root = fileURLToPath(new URL("../../../www", import.meta.url));
  const vite = await createServer({
    root,
    configFile: `${root}/vite.config.ts`,
    logLevel: "error",
    server: { port: 0 },
  });
  closing.push(() => vite.close());
  await vite.listen();
  const address = vite.resolvedUrls?.local[0] ?? "";

  for (const path of ["healthz", "v1/spaces/acme/pull?limit=1"]) {
    expect(await (await fetch(address + path)).text()).toBe("ok");
  }
  await fetch(`${address}dev/token`, { method: "POST", body: "{}" });
  expect(await (await fetch(address)).text()).toContain("<html");

  expect(asked).toEqual(["GET /healthz", "GET /v1/spaces/acme/pull?limit=1", "POST /dev/token"]);
});
