// After the first visit the page needs no server.

import { cp, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { serve, strictPolicy } from "../../scripts/serve.mjs";
import { Demo, expect, launch, listen, test } from "./demo.ts";

test("the page opens, counts and writes without a server", async ({ served }) => {
  const profile = await mkdtemp(join(tmpdir(), "everfold-offline-"));
  const server = await serve(served, { policy: strictPolicy });
  const first = await launch(profile, server.url);
  const visit = new Demo(first.pages()[0] ?? (await first.newPage()));
  await visit.page.goto(server.url);
  await visit.import({
    name: "one.csv",
    text: "transaction_id,account_id,date,direction,amount\n1,7,1993-01-01,credit,100.00\n",
  });
  await visit.page.evaluate(() => navigator.serviceWorker.ready);
  await server.close();
  await first.close();

  const second = await launch(profile, server.url);
  await second.setOffline(true);
  const page = second.pages()[0] ?? (await second.newPage());
  await page.goto(server.url);
  const demo = new Demo(page);
  await expect(page.getByText("Offline. Everything still works.")).toBeVisible();
  await expect(demo.total).toHaveText("100.00\u00a0CZK");
  await demo.account("7");
  await demo.move("Deposit", "1");
  await expect(demo.balance).toHaveText("101.00\u00a0CZK");
  await page.reload();
  await expect(demo.balance).toHaveText("101.00\u00a0CZK");
  await second.close();
  await rm(profile, { recursive: true, force: true, maxRetries: 5 });
});

test("a new release is shown at the load after the one that fetched it", async ({ served, profile, complaints }) => {
  const folder = await mkdtemp(join(tmpdir(), "everfold-release-"));
  await cp(served, folder, { recursive: true });
  const server = await serve(folder, { policy: strictPolicy });
  const context = await launch(profile, server.url);
  listen(context, complaints);
  const page = context.pages()[0] ?? (await context.newPage());
  await page.goto(server.url);
  await page.waitForFunction(() => navigator.serviceWorker.controller !== null);

  await rewrite(join(folder, "index.html"), '<html lang="en">', '<html lang="en" data-release="next">');
  await rewrite(join(folder, "service-worker.js"), /const RELEASE = "\w+"/, 'const RELEASE = "next"');
  await page.evaluate(async () => {
    const taken = new Promise((resolve) => navigator.serviceWorker.addEventListener("controllerchange", resolve));
    await (await navigator.serviceWorker.ready).update();
    await taken;
  });
  await server.close();
  await page.reload();

  await expect(page.locator("html")).toHaveAttribute("data-release", "next");
  await expect(page.getByRole("button", { name: "Try with a sample bank" })).toBeVisible();
  await context.close();
  await rm(folder, { recursive: true });
});

test("the page can be installed", async ({ demo, serverUrl }) => {
  const link = await demo.page.locator("link[rel=manifest]").getAttribute("href");
  const answer = await demo.page.request.get(new URL(link ?? "", serverUrl).href);
  const manifest = (await answer.json()) as { icons: { src: string; sizes: string }[]; display: string };

  expect(manifest.display).toBe("standalone");
  expect(manifest.icons.map(({ sizes }) => sizes)).toEqual(expect.arrayContaining(["192x192", "512x512"]));
  for (const { src } of manifest.icons) {
    expect((await demo.page.request.get(new URL(src, serverUrl).href)).ok()).toBe(true);
  }
});

async function rewrite(file: string, old: string | RegExp, next: string): Promise<void> {
  const text = await readFile(file, "utf8");
  await writeFile(file, text.replace(old, next));
}
