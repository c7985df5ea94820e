/**
 * The store on IndexedDB, as a page uses it: reloads, kills, a full disk, deleted databases, a trap.
 */
import { expect, killBrowser, launch, test } from "./bank.ts";

test("what was written is there after a reload, with rows and snapshots", async ({ page }) => {
  await page.evaluate(async () => {
    const { open, account, balances, opened, deposit } = window.bank;
    const store = await open("reload");
    await store.append("account-a", [opened("Ann")]);
    for (let amount = 1; amount <= 120; amount += 1) {
      await store.execute(account, "a", deposit(1));
    }
    await store.view(balances).get("account-a");
    while ((await store.stats()).snapshots === 0) {
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  });
  await page.reload();

  const found = await page.evaluate(async () => {
    const { open, account, balances, problems } = window.bank;
    const store = await open("reload");
    const { version, state } = await store.load(account, "a");
    const row = await store.view(balances).get("account-a");
    const { snapshots, events } = await store.stats();
    return { version, state, row, snapshots, events, verified: await store.verify(), problems };
  });

  expect(found).toEqual({
    version: 121,
    state: { balance: 120, frozen: false },
    row: { owner: "Ann", balance: 120 },
    snapshots: 1,
    events: 121,
    verified: { ok: true, problems: [] },
    problems: [],
  });
});

test("the browser opens its database while the engine is fetched", async ({ page }) => {
  await page.evaluate(() => {
    const { databases } = IDBFactory.prototype;
    IDBFactory.prototype.databases = function () {
      document.title = "asked";
      return databases.call(this);
    };
  });
  let meanwhile = "";
  await page.route("**/everfold.wasm", async (route) => {
    meanwhile = await page.title();
    await route.continue();
  });

  await page.evaluate(async () => void (await window.bank.open("woken")));

  expect(meanwhile).toBe("asked");
});

test("a page that has lost its network since it was opened has the seldom calls", async ({ page, context }) => {
  const fetched = page.waitForResponse(/everfold-tools\.wasm$/);
  await page.evaluate(async () => void (await window.bank.open("offline")));
  await (await fetched).finished();
  await context.setOffline(true);

  expect(await page.evaluate(async () => (await (await window.bank.open("offline")).stats()).events)).toBe(0);
});

test("a snapshot that cannot be written for want of a part is a problem that is told, and the next one is written", async ({
  page,
}) => {
  await page.route("**/everfold-tools.wasm", (route) => route.abort());
  const told = await page.evaluate(async () => {
    const { open, account, deposit, problems } = window.bank;
    window.store = await open("partless");
    const deposits = Array.from({ length: 100 }, () => window.store.execute(account, "a", deposit(1)));
    const version = (await Promise.all(deposits)).at(-1)?.version;
    while (problems.length === 0) {
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    return { version, problems: [...problems] };
  });
  await page.unroute("**/everfold-tools.wasm");
  const then = await page.evaluate(async () => {
    const { account, deposit } = window.bank;
    await Promise.all(Array.from({ length: 100 }, () => window.store.execute(account, "a", deposit(1))));
    for (;;) {
      const { snapshots } = await window.store.stats();
      if (snapshots > 0) {
        return { snapshots, version: (await window.store.load(account, "a")).version };
      }
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  });

  expect(told).toEqual({ version: 100, problems: ["wasm-failed"] });
  expect(then).toEqual({ snapshots: 1, version: 200 });
});

test("a killed browser loses nothing that was acknowledged", async ({ profile, serverUrl }) => {
  test.setTimeout(180_000);
  let acknowledged = 0;
  for (const kill of [1, 2, 3]) {
    const context = await launch(profile, serverUrl);
    const page = context.pages()[0] ?? (await context.newPage());
    await page.exposeFunction("acknowledged", (version: number) => {
      acknowledged = version;
    });
    await page.goto("/");
    const start = await page.evaluate(async () => {
      const { open, account } = window.bank;
      window.store = await open("killed");
      return (await window.store.load(account, "a")).version;
    });
    expect(start, `after kill ${kill - 1}`).toBeGreaterThanOrEqual(acknowledged);
    const writing = page.evaluate(async () => {
      const { account, deposit } = window.bank;
      for (;;) {
        const receipts = await Promise.all([1, 2, 3].map(() => window.store.execute(account, "a", deposit(1))));
        await window.acknowledged(Math.max(...receipts.map(({ version }) => version)));
      }
    });
    writing.catch(() => undefined);
    await expect.poll(() => acknowledged).toBeGreaterThan(start + 100);
    await killBrowser(context, profile);
  }

  const context = await launch(profile, serverUrl);
  const page = context.pages()[0] ?? (await context.newPage());
  await page.goto("/");
  const found = await page.evaluate(async () => {
    const { open, account } = window.bank;
    const store = await open("killed");
    return { ...(await store.load(account, "a")), verified: await store.verify() };
  });
  await context.close();

  expect(found.version).toBeGreaterThanOrEqual(acknowledged);
  expect(found.state.balance).toBe(found.version);
  expect(found.verified).toEqual({ ok: true, problems: [] });
});

test("a full disk is quota-exceeded, loses nothing, and passes", async ({ page, context, serverUrl }) => {
  const control = await context.newCDPSession(page);
  const origin = new URL(serverUrl).origin;
  // Before the database is opened: Chromium asks for the quota only now and then.
  await control.send("Storage.overrideQuotaForOrigin", { origin, quotaSize: 3_000_000 });

  const full = await page.evaluate(async () => {
    const { open, account, deposit, deposited, codeOf, problems } = window.bank;
    window.store = await open("quota");
    await window.store.execute(account, "a", deposit(1));
    // What compresses would not fill anything.
    const noise = () => Array.from(crypto.getRandomValues(new Uint32Array(15_000)), String).join("");
    const written: number[] = [];
    for (let note = 1; note <= 40; note += 1) {
      const calls = [
        codeOf(window.store.append("note-1", [{ type: "noted", data: noise() }])),
        codeOf(window.store.append("note-2", [{ type: "noted", data: noise() }])),
        codeOf(window.store.ingest([[{ streamId: "account-a", ...deposited(1) }]])),
      ];
      const codes = await Promise.all(calls);
      if (codes.some((code) => code !== "done")) {
        return { codes, written: written.length, problems };
      }
      written.push(note);
    }
    return { codes: [], written: written.length, problems };
  });
  await control.send("Storage.overrideQuotaForOrigin", { origin });
  const found = await page.evaluate(async () => {
    const { account, balances, deposit } = window.bank;
    await window.store.execute(account, "a", deposit(1));
    await window.store.view(balances).count();
    const counts: Record<string, number> = {};
    for await (const { streamId } of window.store.read()) {
      counts[streamId] = (counts[streamId] ?? 0) + 1;
    }
    return { counts, verified: await window.store.verify() };
  });

  expect(full.codes).toContain("quota-exceeded");
  expect(full.codes.filter((code) => code !== "done" && code !== "quota-exceeded")).toEqual([]);
  const [one, two, small] = full.codes.map((code) => full.written + (code === "done" ? 1 : 0)) as [
    number,
    number,
    number,
  ];
  expect(found).toEqual({
    counts: { "note-1": one, "note-2": two, "account-a": small + 2 },
    verified: { ok: true, problems: [] },
  });
});

test("a trap fails what is under way, and the next call finds the store as it is on disk", async ({ page }) => {
  const found = await page.evaluate(async () => {
    const { open, account, balances, deposit, cores, codeOf, problems } = window.bank;
    const store = await open("trap");
    await store.execute(account, "a", deposit(1));
    const core = cores.at(-1) as (typeof cores)[number] & { injectPanic(): void };
    const append = core.append.bind(core);
    let thrown = "";
    core.append = (group, merges) => {
      const appended = append(group, merges);
      try {
        core.injectPanic();
      } catch (error) {
        thrown = (error as Error).constructor.name;
      }
      return appended;
    };

    const code = await codeOf(store.execute(account, "b", deposit(1), { commitId: "b1" }));
    const again = await store.execute(account, "b", deposit(1), { commitId: "b1" });
    await store.execute(account, "a", deposit(1));
    await store.view(balances).count();
    const { state } = await store.load(account, "a");
    return { thrown, code, version: again.version, state, instances: cores.length, problems: [...new Set(problems)] };
  });

  expect(found).toEqual({
    thrown: "RuntimeError",
    code: "wasm-failed",
    version: 1,
    state: { balance: 2, frozen: false },
    instances: 2,
    problems: ["wasm-failed"],
  });
});

test("three traps within a minute: the store says that it is dead", async ({ page }) => {
  const codes = await page.evaluate(async () => {
    const { open, account, deposit, cores, codeOf } = window.bank;
    const store = await open("dead");
    const codes: string[] = [];
    for (let count = 1; count <= 3; count += 1) {
      codes.push(await codeOf(store.execute(account, "a", deposit(1))));
      await new Promise((resolve) => setTimeout(resolve, 100));
      try {
        (cores.at(-1) as unknown as { injectPanic(): void }).injectPanic();
      } catch {
        // That is the trap.
      }
    }
    codes.push(await codeOf(store.execute(account, "a", deposit(1))), await codeOf(open("another")));
    return codes;
  });
  await page.reload();
  const after = await page.evaluate(async () => {
    const { open, account } = window.bank;
    return (await (await open("dead")).load(account, "a")).version;
  });

  expect(codes).toEqual(["done", "done", "done", "wasm-failed", "wasm-failed"]);
  expect(after).toBe(3);
});

test("where IndexedDB fails, opening says so", async ({ page }) => {
  const codes = await page.evaluate(async () => {
    const { open, codeOf } = window.bank;
    const original = IDBFactory.prototype.open;
    const codes: string[] = [];
    for (const name of ["UnknownError", "QuotaExceededError", "SecurityError"]) {
      IDBFactory.prototype.open = () => {
        throw new DOMException("made to fail", name);
      };
      codes.push(await codeOf(open(`fails-${name}`)));
    }
    IDBFactory.prototype.open = original;
    codes.push(await codeOf(open("works")));
    return codes;
  });

  // A full disk while opening is mostly trouble of another kind (it is seen at 0 % use), so it is no quota-exceeded.
  expect(codes).toEqual(["storage-unavailable", "storage-unavailable", "storage-unavailable", "done"]);
});

test("a transaction that does not finish in 10 seconds is given up, and one that writes much has more time", async ({
  page,
}) => {
  const ends = await page.evaluate(async () => {
    const { open, opened, account, codeOf } = window.bank;
    const source = await open("source", { withoutViews: true });
    for (let part = 0; part < 25; part += 1) {
      // What packing makes hardly smaller: 5 MB in all.
      const noise = Array.from(crypto.getRandomValues(new Uint8Array(52_428)), (byte) =>
        String.fromCharCode(0x100 + byte),
      );
      await source.append(`account-${part}`, [{ ...opened(noise.join("")) }, { ...opened(noise.reverse().join("")) }]);
    }
    const file = await source.export();
    // What a call on a new store ends with, while another connection holds a table for 12 seconds from then on.
    const held = async (name: string, table: string, call: (opened: typeof source) => Promise<unknown>) => {
      const store = await open(name, { withoutViews: true });
      const [found] = (await indexedDB.databases()).filter((database) => database.name?.includes(name));
      const other = await new Promise<IDBDatabase>((resolve) => {
        const request = indexedDB.open(found?.name ?? "");
        request.onsuccess = () => resolve(request.result);
      });
      const transaction = other.transaction(table, "readwrite");
      const until = performance.now() + 12_000;
      // It is there as long as it is asked something.
      const hold = () => {
        if (performance.now() < until) {
          transaction.objectStore(table).count().onsuccess = hold;
        } else {
          other.close();
        }
      };
      hold();
      return { store, code: await codeOf(call(store)) };
    };
    const [little, much] = await Promise.all([
      held("little", "journal", (store) => store.load(account, "a", { fresh: true })),
      held("much", "blocks", (store) => store.import(file)),
    ]);
    const { version } = await much.store.load(account, "24");
    return { codes: [little.code, much.code], version, size: file.size };
  });

  expect(ends.size).toBeGreaterThan(4 << 20);
  expect(ends.codes).toEqual(["store-blocked", "done"]);
  expect(ends.version).toBe(2);
});
