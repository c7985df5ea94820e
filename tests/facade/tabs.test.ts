/**
 * Two tabs of one store: races, news, and a database that is taken away.
 */
import type { BrowserContext, Page } from "@playwright/test";
import { expect, test } from "./bank.ts";

async function openTab(context: BrowserContext, name: string, page?: Page, sums = false): Promise<Page> {
  const tab = page ?? (await context.newPage());
  await tab.goto("/");
  await tab.evaluate(
    async ([name, sums]) => {
      window.store = await window.bank.open(name, { sums });
    },
    [name, sums] as const,
  );
  return tab;
}

test("two tabs racing on the same accounts lose no update", async ({ context, page }) => {
  const tabs = [await openTab(context, "race", page), await openTab(context, "race")];

  await Promise.all(
    tabs.map((tab) =>
      tab.evaluate(async () => {
        const { account, deposit } = window.bank;
        for (let round = 0; round < 50; round += 1) {
          await Promise.all(["a", "b", "a"].map((id) => window.store.execute(account, id, deposit(1))));
        }
      }),
    ),
  );

  for (const tab of tabs) {
    const found = await tab.evaluate(async () => {
      const { account } = window.bank;
      const a = await window.store.load(account, "a", { fresh: true });
      const b = await window.store.load(account, "b", { fresh: true });
      return {
        a: [a.version, a.state.balance],
        b: [b.version, b.state.balance],
        verified: await window.store.verify(),
      };
    });
    expect(found).toEqual({ a: [200, 200], b: [100, 100], verified: { ok: true, problems: [] } });
  }
});

test("one tab ingests in bulk while the other appends, and all of it is there", async ({ context, page }) => {
  const bulk = await openTab(context, "bulk", page);
  const other = await openTab(context, "bulk");
  await bulk.evaluate(() => window.store.append("account-shared", [window.bank.opened("Ann")]));

  const ingesting = bulk.evaluate(async () => {
    const { account, deposited } = window.bank;
    let told = 0;
    for (let round = 0; round < 4; round += 1) {
      // From the second round on it has company.
      while (round > 0 && (await window.store.load(account, "own", { fresh: true })).version < 2);
      const batches = Array.from({ length: 100 }, (_, batch) => ({
        commitId: `bulk ${round} ${batch}`,
        events: Array.from({ length: 100 }, (_, event) => ({
          streamId: event % 2 === 0 ? "account-shared" : `account-${event}`,
          ...deposited(1),
        })),
      }));
      await window.store.ingest(batches, {
        onProgress: ({ events }) => {
          told = round * 10_000 + events;
        },
      });
    }
    return told;
  });
  const appended = await other.evaluate(async () => {
    const { account, codeOf, deposit, deposited } = window.bank;
    let [deposits, conflicts, rounds] = [0, 0, 0];
    // An event of account 99 is in each batch of the bulk: it goes on until the last one is there.
    while ((await window.store.load(account, "99", { fresh: true })).version < 400) {
      await Promise.all(["shared", "own"].map((id) => window.store.execute(account, id, deposit(1))));
      rounds += 1;
      deposits += 1;
      // What it knows of the stream may be out of date: then it is told, and nothing is written.
      const { version } = await window.store.load(account, "shared");
      const code = await codeOf(
        window.store.append("account-shared", [deposited(1)], {
          expectedVersion: version,
          commitId: `exact ${rounds}`,
        }),
      );
      if (code === "done") {
        deposits += 1;
      } else {
        conflicts += 1;
        if (code !== "conflict") {
          throw new Error(code);
        }
      }
    }
    return { deposits, conflicts, rounds };
  });
  const told = await ingesting;

  expect(appended.deposits + appended.conflicts).toBe(2 * appended.rounds);
  expect(appended.rounds).toBeGreaterThan(1);
  expect(told).toBe(40_000);
  for (const tab of [bulk, other]) {
    const shared = 20_000 + appended.deposits;
    // Rows may lag behind what another tab wrote last.
    const look = () =>
      tab.evaluate(async () => {
        const { account } = window.bank;
        const shared = await window.store.load(account, "shared", { fresh: true });
        const own = await window.store.load(account, "own");
        const { streams, events } = await window.store.stats();
        const row = await window.store.view(window.bank.balances).get("account-shared");
        return {
          shared: [shared.version, shared.state.balance, row?.balance],
          own: [own.version, own.state.balance],
          streams,
          events,
          verified: await window.store.verify(),
        };
      });
    await expect.poll(look).toEqual({
      shared: [shared + 1, shared, shared],
      own: [appended.rounds, appended.rounds],
      streams: 52,
      events: 40_001 + appended.deposits + appended.rounds,
      verified: { ok: true, problems: [] },
    });
  }
});

test("a tab shows what another one wrote, without looking for it", async ({ context, page }) => {
  const one = await openTab(context, "news", page);
  const two = await context.newPage();
  // Every two seconds it would look.
  await two.addInitScript(() => {
    Object.assign(window, { setInterval: () => 0 });
  });
  await openTab(context, "news", two);
  await two.evaluate(() => {
    const { account, balances } = window.bank;
    const seen: unknown[] = [];
    Object.assign(window, { seen });
    window.store
      .view(balances)
      .watch("account-a")
      .subscribe(({ value }) => seen.push(value?.balance));
    window.store.watch(account, "a").subscribe(({ value }) => seen.push(value?.version));
    window.store.subscribe({}, ({ commits }) => seen.push(`${commits.length} commit`));
  });

  await one.evaluate(async () => {
    const { opened, deposited } = window.bank;
    await window.store.append("account-a", [opened("Ann"), deposited(7)]);
  });

  await expect
    .poll(() => two.evaluate(() => (window as unknown as { seen: unknown[] }).seen))
    .toEqual(expect.arrayContaining([7, 2, "1 commit"]));
});

test("a live result shows what another tab has rebuilt", async ({ context, page }) => {
  const one = await openTab(context, "rebuilt", page, true);
  await one.evaluate(() => window.store.append("account-a", [window.bank.deposited(5)]));
  const two = await openTab(context, "rebuilt", undefined, true);
  await two.evaluate(() => {
    const live = window.store.view(window.bank.counts).watch("account-a");
    live.subscribe(({ value }) => {
      document.title = `counts ${value}`;
    });
  });
  await expect(two).toHaveTitle("counts 1");

  await one.evaluate(async () => {
    window.bank.weight.now = 10;
    await window.store.rebuild(window.bank.counts);
  });

  await expect(two).toHaveTitle("counts 10");
});

test("a tab that heard nothing finds out by itself", async ({ context, page }) => {
  const one = await openTab(context, "deaf", page);
  const two = await context.newPage();
  await two.addInitScript(() => {
    delete (window as { BroadcastChannel?: unknown }).BroadcastChannel;
  });
  await openTab(context, "deaf", two);

  await one.evaluate(async () => window.store.execute(window.bank.account, "a", window.bank.deposit(1)));

  const version = () => two.evaluate(async () => (await window.store.load(window.bank.account, "a")).version);
  await expect.poll(version).toBe(1);
});

test("a store deleted under a tab is closed there, and can be opened again", async ({ context, page }) => {
  const one = await openTab(context, "deleted", page);
  await one.evaluate(async () => window.store.execute(window.bank.account, "a", window.bank.deposit(1)));
  const two = await context.newPage();
  await two.goto("/");

  await two.evaluate(() => window.bank.deleteStore("deleted"));

  const found = await one.evaluate(async () => {
    const { account, codeOf, open } = window.bank;
    const code = await codeOf(window.store.load(account, "a", { fresh: true }));
    const again = await open("deleted");
    return { code, version: (await again.load(account, "a")).version };
  });
  expect(found).toEqual({ code: "store-closed", version: 0 });
});

test("a tab that holds an older version of the database open blocks, and is named as the reason", async ({
  context,
  page,
}) => {
  const other = await context.newPage();
  await other.goto("/");
  await other.evaluate(async () => {
    // A page of an older release that does not let go.
    const store = await window.bank.open("blocked");
    await store.close();
    const [made] = (await indexedDB.databases()).filter((database) => database.name?.includes("blocked"));
    await new Promise((resolve) => {
      indexedDB.deleteDatabase(made?.name ?? "").onsuccess = resolve;
    });
    await new Promise((resolve) => {
      // Never closed, and deaf to versionchange; a lower version than any release makes.
      const request = indexedDB.open(made?.name ?? "", 1);
      request.onsuccess = () => {
        Object.assign(window, { held: request.result });
        resolve(undefined);
      };
    });
  });

  const result = await page.evaluate(async () => window.bank.codeOf(window.bank.deleteStore("blocked")));

  expect(result).toBe("store-blocked");
});

test("rows are folded by whichever tab is first, once", async ({ context, page }) => {
  const tabs = [await openTab(context, "rows", page), await openTab(context, "rows"), await openTab(context, "rows")];
  await page.evaluate(() => window.store.append("account-a", [window.bank.opened("Ann")]));

  await Promise.all(
    tabs.map((tab) =>
      tab.evaluate(async () => {
        const { account, balances, deposit } = window.bank;
        for (let round = 0; round < 30; round += 1) {
          await window.store.execute(account, "a", deposit(1));
          await window.store.view(balances).get("account-a");
        }
      }),
    ),
  );

  for (const tab of tabs) {
    const balance = () =>
      tab.evaluate(async () => (await window.store.view(window.bank.balances).get("account-a"))?.balance);
    await expect.poll(balance).toBe(90);
  }
});
