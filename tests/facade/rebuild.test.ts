// The browser killed in the middle of a rebuild, again and again on one profile.

import { expect, killBrowser, launch, test } from "./bank.ts";

const KILLS = 10;

test("a browser killed ten times in mid-rebuild has its rows, and takes the rebuild up again", async ({
  profile,
  serverUrl,
}) => {
  test.setTimeout(300_000);
  for (let kill = 0; kill < KILLS; kill += 1) {
    const context = await launch(profile, serverUrl);
    const page = context.pages()[0] ?? (await context.newPage());
    let phase = "";
    await page.exposeFunction("heard", (name: string) => {
      phase = name;
    });
    await page.goto("/");
    const wrong = await page.evaluate(async (isFirst) => {
      const { open, balances, opened, deposited } = window.bank;
      const store = await open("rebuilt", { durability: "relaxed" });
      window.store = store;
      if (isFirst) {
        for (let account = 0; account < 3_000; account += 100) {
          await store.ingest([
            Array.from({ length: 300 }, (_, index) => ({
              streamId: `account-${account + Math.floor(index / 3)}`,
              ...(index % 3 === 0 ? opened("Ann") : deposited(1)),
            })),
          ]);
        }
      }
      const rows = await store.view(balances).list();
      return rows.length === 3_000 ? rows.filter(({ row }) => row.balance !== 2).length : -1;
    }, kill === 0);
    expect(wrong, `after kill ${kill}`).toBe(0);

    const wanted = kill % 2 === 0 ? "folding" : "writing";
    const rebuilding = page.evaluate(async () => {
      const heard = (globalThis as unknown as { heard(phase: string): void }).heard;
      for (;;) {
        await window.store.rebuild(window.bank.balances, { onProgress: ({ phase }) => heard(phase) });
      }
    });
    rebuilding.catch(() => undefined);
    await expect.poll(() => phase, { intervals: [5] }).toBe(wanted);
    await killBrowser(context, profile);
  }

  const context = await launch(profile, serverUrl);
  const page = context.pages()[0] ?? (await context.newPage());
  await page.goto("/");
  const found = await page.evaluate(async () => {
    const { open, balances } = window.bank;
    const store = await open("rebuilt");
    const before = await store.view(balances).list();
    await store.rebuild(balances);
    const after = await store.view(balances).list();
    return {
      same: JSON.stringify(before) === JSON.stringify(after),
      rows: after.length,
      verified: await store.verify(),
    };
  });
  await context.close();

  expect(found).toEqual({ same: true, rows: 3_000, verified: { ok: true, problems: [] } });
});
