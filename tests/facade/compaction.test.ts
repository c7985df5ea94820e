// The browser killed in the middle of merging segments, again and again on one profile.

import type { Page } from "@playwright/test";
import { expect, killBrowser, launch, test } from "./bank.ts";

const KILLS = 10;
/** A merge makes one of so many, of 1,000 events each. */
const MERGED = 16;
/** So there is one left to do after all kills, whether or not they were in time. */
const SEGMENTS = MERGED * (KILLS + 1);

test("a browser killed ten times in mid-compaction has every event, and the space in the end", async ({
  profile,
  serverUrl,
}) => {
  test.setTimeout(180_000);
  let before: Awaited<ReturnType<typeof contentOf>> | undefined;
  for (let kill = 0; kill < KILLS; kill += 1) {
    const context = await launch(profile, serverUrl);
    const page = context.pages()[0] ?? (await context.newPage());
    let killing: Promise<void> | undefined;
    await page.exposeFunction("now", () => {
      killing ??= killBrowser(context, profile);
    });
    await page.goto("/");
    const events = await page.evaluate(async (segments) => {
      window.store = await window.bank.open("compacted", { durability: "relaxed", withoutViews: true });
      for (let made = (await window.store.stats()).events / 1_000; made < segments; made += 1) {
        const deposits = Array.from({ length: 1_000 }, (_, event) => ({
          streamId: `account-${(event * 7) % 40}`,
          ...window.bank.deposited(made * 1_000 + event),
        }));
        await window.store.ingest([deposits]);
      }
      return (await window.store.stats()).events;
    }, SEGMENTS);
    before ??= await contentOf(page);
    expect(events, `after kill ${kill}`).toBe(before.events);

    // The first transaction that writes is the first merge: it ends there, if it is not killed in it.
    const compacting = page.evaluate(
      async (method) => {
        const { now } = globalThis as unknown as { now(): void };
        const ending = new AbortController();
        const original = IDBDatabase.prototype.transaction;
        IDBDatabase.prototype.transaction = function (stores, mode, options) {
          const transaction = original.call(this, stores, mode, options);
          if (mode === "readwrite") {
            ending.abort();
            if (method === "begun") {
              now();
            } else {
              transaction.addEventListener("complete", now);
            }
          }
          return transaction;
        };
        await window.store.compact({ signal: ending.signal });
      },
      kill % 5 === 4 ? "complete" : "begun",
    );
    compacting.catch(() => undefined);
    await expect.poll(() => killing !== undefined, { intervals: [5] }).toBe(true);
    await killing;
  }

  const context = await launch(profile, serverUrl);
  const page = context.pages()[0] ?? (await context.newPage());
  await page.goto("/");
  await page.evaluate(async () => {
    window.store = await window.bank.open("compacted", { withoutViews: true });
  });
  const left = await segmentsOf(page);
  await page.evaluate(() => window.store.compact());
  const merged = await segmentsOf(page);
  const after = await contentOf(page);
  const verified = await page.evaluate(() => window.store.verify());
  await context.close();

  expect(left.segments).toBeGreaterThan(merged.segments);
  expect(merged).toEqual({ segments: SEGMENTS / MERGED, withBlocks: SEGMENTS / MERGED });
  expect(after).toEqual(before);
  expect(verified).toEqual({ ok: true, problems: [] });
});

test("a long tail is sealed once nothing is written for a moment, also one that another page left", async ({
  page,
}) => {
  const write = (events: number, { thenClose = false } = {}) =>
    page.evaluate(
      async ([events, thenClose]) => {
        const deposits = Array.from({ length: events }, (_, event) => window.bank.deposited(event));
        await window.store.append("account-1", deposits);
        if (thenClose) {
          await window.store.close();
        }
      },
      [events, thenClose] as const,
    );
  const open = () =>
    page.evaluate(async () => {
      window.store = await window.bank.open("compacted", { durability: "relaxed", withoutViews: true });
    });
  const segments = async () => (await segmentsOf(page)).segments;
  await page.goto("/");
  await open();

  await write(999);
  // Long enough for two looks.
  await page.waitForTimeout(1_500);
  expect(await segments()).toBe(0);
  await write(1);
  await expect.poll(segments).toBe(1);

  // At once: a moment later it would be sealed.
  await write(1_000, { thenClose: true });
  expect(await segments()).toBe(1);
  await open();
  await expect.poll(segments).toBe(2);
  expect(await page.evaluate(() => window.store.verify())).toEqual({ ok: true, problems: [] });
});

/** How many events there are, and a number that none of them can change without being seen. */
const contentOf = (page: Page) =>
  page.evaluate(async () => {
    let [events, hash] = [0, 0];
    for await (const batch of window.store.read().batches()) {
      for (const { position, streamId, version, data } of batch) {
        const { amount } = data as { readonly amount: number };
        events += 1;
        for (const part of [position, Number(streamId.slice("account-".length)), version, amount]) {
          hash = Math.imul(hash, 31) + part;
        }
      }
    }
    return { events, hash };
  });

/** How many segments are stored, and of how many there are blocks. */
const segmentsOf = (page: Page) =>
  page.evaluate(async () => {
    const [made] = (await indexedDB.databases()).filter(({ name }) => name?.includes("compacted"));
    const done = <T>(request: IDBRequest<T>) =>
      new Promise<T>((resolve, reject) => {
        request.onsuccess = () => resolve(request.result);
        request.onerror = () => reject(request.error);
      });
    const database = await done(indexedDB.open(made?.name ?? ""));
    const tables = database.transaction(["segments", "blocks"]);
    const segments = await done(tables.objectStore("segments").count());
    const blocks = await done(tables.objectStore("blocks").getAllKeys());
    database.close();
    return { segments, withBlocks: new Set(blocks.map((key) => (key as number[]).slice(0, 2).join())).size };
  });
