/**
 * Rebuilds in several workers at once: the same rows as in the calling thread, or none.
 */
import type { Page } from "@playwright/test";
import { expect, test } from "./bank.ts";

/** 60 accounts with 100 deposits each, most of them in segments. Leaves the store open as `window.store`. */
async function openFilled(page: Page, name: string): Promise<void> {
  await page.evaluate(async (name) => {
    const { open, deposited, opened } = window.bank;
    const store = await open(name, { sums: true });
    for (let round = 0; round < 10; round += 1) {
      const batches = Array.from({ length: 60 }, (_, number) => {
        const streamId = `account-${number}`;
        const deposits = Array.from({ length: 10 }, (_, place) => deposited(((number + place) % 12) + round * 20));
        return [...(round === 0 ? [opened("Ann")] : []), ...deposits].map((event) => ({ ...event, streamId }));
      });
      await store.ingest(batches);
      if (round < 9) {
        await store.compact();
      }
    }
    window.store = store;
  }, name);
}

/** Every row by key, with an index. */
const rowsOf = (page: Page, projection: "sums" | "superstitious") =>
  page.evaluate(async (projection) => {
    const view = window.store.view(window.bank[projection]);
    return { rows: await view.list({}), count: await view.count(), checkpoint: view.checkpoint() };
  }, projection);

test("workers build the same rows as the calling thread, whatever their number", async ({ page }) => {
  await openFilled(page, "same");
  await page.evaluate(() => window.store.rebuild(window.bank.sums));
  const expected = await rowsOf(page, "sums");
  expect(expected.count).toBe(60);

  for (const workers of [1, 2, 3, 7]) {
    const phases = await page.evaluate(async (workers) => {
      const phases: string[] = [];
      const { sums } = window.bank;
      await window.store.rebuild(sums, { workers, module: "/sums.js", onProgress: ({ phase }) => phases.push(phase) });
      return [...new Set(phases)];
    }, workers);
    expect(phases).toEqual(["folding", "writing", "switching"]);
    expect(await rowsOf(page, "sums")).toEqual(expected);
  }

  const most = await page.evaluate(async () =>
    (await window.store.view(window.bank.sums).list({ index: "events", gte: 100 })).map(({ key }) => key),
  );
  expect(most).toHaveLength(60);
});

test("a worker of the app's own brings its definitions along", async ({ page }) => {
  await openFilled(page, "own");
  await page.evaluate(() => window.store.rebuild(window.bank.sums));
  const expected = await rowsOf(page, "sums");

  await page.evaluate(() =>
    window.store.rebuild(window.bank.sums, {
      workers: 2,
      createWorker: () => new Worker("/own-worker.js", { type: "module" }),
    }),
  );

  expect(await rowsOf(page, "sums")).toEqual(expected);
});

test("a key of two partitions fails the rebuild and leaves the rows", async ({ page }) => {
  await openFilled(page, "two");

  const failed = await page.evaluate(async () => {
    const { codeOf, everything } = window.bank;
    const before = await window.store.view(everything).get("all");
    const code = await codeOf(window.store.rebuild(everything, { workers: 2, module: "/sums.js" }));
    return { code, before, after: await window.store.view(everything).get("all") };
  });

  expect(failed.code).toBe("rebuild-failed");
  expect(failed.after).toEqual(failed.before);
});

test("workers whose module has other indexes than the page fail the rebuild and leave the rows", async ({ page }) => {
  await openFilled(page, "indexes");

  const failed = await page.evaluate(async () => {
    const { shifting } = window.bank;
    const list = () => window.store.view(shifting).list({ index: "events" });
    const before = await list();
    const error = await window.store.rebuild(shifting, { workers: 2, module: "/sums.js" }).catch((error) => error);
    return { code: error.code, message: error.message, before, after: await list() };
  });

  expect(failed.code).toBe("rebuild-failed");
  expect(failed.message).toContain('does not export version 1 of this projection with the indexes ["events"]');
  expect(failed.before).toHaveLength(60);
  expect(failed.after).toEqual(failed.before);
});

test("one partition that fails switches nothing, and the next rebuild may begin", async ({ page }) => {
  await openFilled(page, "one");
  await page.evaluate(() =>
    window.store.append("account-5", [window.bank.deposited(13)]).then(() => window.store.compact()),
  );
  const before = await rowsOf(page, "superstitious");

  const failed = await page.evaluate(async () => {
    try {
      await window.store.rebuild(window.bank.superstitious, { workers: 3, module: "/sums.js" });
      return "done";
    } catch (error) {
      const { code, details } = error as { code: string; details: unknown };
      return { code, details };
    }
  });

  expect(failed).toEqual({ code: "rebuild-failed", details: { projection: "superstitious", partition: "account-5" } });
  expect(await rowsOf(page, "superstitious")).toEqual(before);
  expect(await page.evaluate(() => window.bank.codeOf(window.store.rebuild(window.bank.superstitious)))).toBe("done");
});

test("an event that is newer than the app fails the rebuild, of a projection of every stream too", async ({ page }) => {
  await openFilled(page, "newer");

  const failed = await page.evaluate(async () => {
    const { counts, deposited, open } = window.bank;
    const newer = await open("newer", { newer: true, withoutViews: true });
    await newer.append("account-5", [deposited(7)]);
    const rebuild = window.store.rebuild(counts, { workers: 2, module: "/sums.js" });
    const { code, details } = await rebuild.then(
      () => ({ code: "done", details: undefined }),
      (error) => error,
    );
    return { code, details };
  });

  expect(failed).toMatchObject({ code: "app-outdated", details: { streamId: "account-5", found: 2, known: 1 } });
});

test("a rebuild in workers is ended by its signal, and by a worker that does not start", async ({ page }) => {
  await openFilled(page, "ended");
  const before = await rowsOf(page, "sums");

  const codes = await page.evaluate(async () => {
    const { codeOf, sums } = window.bank;
    const rebuild = (module: string) => {
      const controller = new AbortController();
      const onProgress = () => controller.abort(new Error("enough"));
      return codeOf(window.store.rebuild(sums, { workers: 2, module, signal: controller.signal, onProgress }));
    };
    const createWorker = (): Worker => {
      throw new DOMException("the policy of this page forbids it", "SecurityError");
    };
    return [
      await rebuild("/sums.js"),
      await rebuild("/missing.js"),
      await rebuild("/own-worker.js"),
      await rebuild("https://"),
      await codeOf(window.store.rebuild(sums, { workers: 2, createWorker })),
    ];
  });

  expect(codes).toEqual(["aborted", ...Array.from({ length: 4 }, () => "rebuild-failed")]);
  expect(await rowsOf(page, "sums")).toEqual(before);
});

test("a call for workers that cannot be served says why", async ({ page }) => {
  const codes = await page.evaluate(async () => {
    const { balances, codeOf, open, sums } = window.bank;
    window.store = await open("refused", { sums: true });
    const module = "/sums.js";
    const tries = [
      { workers: 0, module },
      { workers: 1.5, module },
      { workers: 65, module },
      { workers: 2 },
      { workers: 2, module, streams: ["account-1"] },
    ];
    return [
      ...(await Promise.all(tries.map((options) => codeOf(window.store.rebuild(sums, options))))),
      await codeOf(window.store.rebuild(balances, { workers: 2, module })),
      await codeOf(window.store.rebuild(sums, { workers: 64, module })),
    ];
  });

  expect(codes).toEqual([...Array.from({ length: 6 }, () => "invalid-argument"), "done"]);
});
