/**
 * Rebuilds of projections in Rust in several workers at once: each has an engine of its own and folds there.
 */
import type { Page } from "@playwright/test";
import { expect, test } from "./bank.ts";

async function openFilled(page: Page, name: string, options?: { boastful: boolean }): Promise<void> {
  await page.evaluate(
    async ({ name, options }) => {
      window.rustStore = await window.bank.inRust.openFilled(name, options);
    },
    { name, options },
  );
}

/** Every row as text, and where they stand. */
const rowsOf = (page: Page, projection: "balances" | "owners") =>
  page.evaluate(async (projection) => {
    const view = window.rustStore.view(window.bank.inRust[projection]);
    return { rows: JSON.stringify(await view.list({})), count: await view.count(), checkpoint: view.checkpoint() };
  }, projection);

test("workers with the page's engine build the same rows as the calling thread, byte for byte", async ({ page }) => {
  await openFilled(page, "same");
  await page.evaluate(() => window.rustStore.rebuild(window.bank.inRust.balances));
  const expected = await rowsOf(page, "balances");
  expect(expected.count).toBe(60);

  for (const workers of [1, 2, 3, 7]) {
    const phases = await page.evaluate(async (workers) => {
      const phases: string[] = [];
      const { balances, glue: module } = window.bank.inRust;
      await window.rustStore.rebuild(balances, { workers, module, onProgress: ({ phase }) => phases.push(phase) });
      return [...new Set(phases)];
    }, workers);
    expect(phases).toEqual(["folding", "writing", "switching"]);
    expect(await rowsOf(page, "balances")).toEqual(expected);
  }
});

test("streams of other aggregates do not count when the streams are divided", async ({ page }) => {
  await openFilled(page, "others");

  const tasks = await page.evaluate(async () => {
    const { balances, glue: module } = window.bank.inRust;
    const ranges: unknown[] = [];
    const createWorker = () => {
      const worker = new Worker("/rebuild-worker.js", { type: "module" });
      const post = worker.postMessage.bind(worker);
      worker.postMessage = (question: { readonly task?: { readonly query: object } }) => {
        if (question.task) {
          ranges.push(question.task.query);
        }
        post(question);
      };
      return worker;
    };
    await window.rustStore.rebuild(balances, { workers: 2, module, createWorker });
    return ranges;
  });

  expect(tasks).toEqual([
    expect.objectContaining({ prefix: "account-", beforeStream: expect.stringMatching(/^account-/) }),
    expect.objectContaining({ prefix: "account-", firstStream: expect.stringMatching(/^account-/) }),
  ]);
});

test("a worker of the app's own brings its engine along", async ({ page }) => {
  await openFilled(page, "own");
  await page.evaluate(() => window.rustStore.rebuild(window.bank.inRust.balances));
  const expected = await rowsOf(page, "balances");

  await page.evaluate(() =>
    window.rustStore.rebuild(window.bank.inRust.balances, {
      workers: 2,
      createWorker: () => new Worker("/own-engine.js", { type: "module" }),
    }),
  );

  expect(await rowsOf(page, "balances")).toEqual(expected);
});

test("a key of two partitions fails the rebuild and leaves the rows", async ({ page }) => {
  await openFilled(page, "two", { boastful: true });
  const before = await rowsOf(page, "owners");
  expect(before.count).toBe(7);

  const failed = await page.evaluate(async () => {
    const { owners, glue: module } = window.bank.inRust;
    const message = await window.rustStore.rebuild(owners, { workers: 2, module }).then(
      () => "done",
      ({ code, message }) => `${code}: ${message}`,
    );
    return { message, alone: await window.bank.codeOf(window.rustStore.rebuild(owners)) };
  });

  expect(failed.message).toMatch(/^rebuild-failed: owners: key "owner \d" is of streams in two partitions/);
  expect(failed.alone).toBe("done");
  expect(await rowsOf(page, "owners")).toEqual(before);
});

test("one partition that fails switches nothing", async ({ page }) => {
  await openFilled(page, "one");
  const failed = await page.evaluate(async () => {
    const { balances, glue: module } = window.bank.inRust;
    await window.rustStore.view(balances).count();
    const states = async () => (await window.rustStore.stats()).projections.find(({ name }) => name === "balances");
    const rebuild = async (workers: number | undefined) => {
      try {
        await window.rustStore.rebuild(balances, workers === undefined ? {} : { workers, module });
        return "done";
      } catch (error) {
        const { code, details } = error as { code: string; details: unknown };
        return { code, details };
      }
    };
    await window.rustStore.append("account-5", [{ type: "account.money_deposited", data: { amount: "much" } }]);
    await window.bank.codeOf(window.rustStore.view(balances).count());
    const before = await states();
    const [inWorkers, alone] = [await rebuild(3), await rebuild(undefined)];
    return { inWorkers, alone, before, after: await states() };
  });

  expect(failed.inWorkers).toEqual({
    code: "rebuild-failed",
    details: { projection: "balances", partition: "account-5" },
  });
  expect(failed.inWorkers).toEqual(failed.alone);
  expect(failed.after).toEqual(failed.before);
});

test("a rebuild in workers is ended by its signal, and by an engine that is none, has no wasm or panics", async ({
  page,
}) => {
  await openFilled(page, "ended");
  const before = await rowsOf(page, "balances");

  const codes = await page.evaluate(async () => {
    const { balances, glue } = window.bank.inRust;
    const rebuild = (module: string, abort = false) => {
      const controller = new AbortController();
      const onProgress = () => abort && controller.abort(new Error("enough"));
      const options = { workers: 2, module, signal: controller.signal, onProgress };
      return window.bank.codeOf(window.rustStore.rebuild(balances, options));
    };
    const createWorker = () => new Worker("/own-engine.js?panics", { type: "module" });
    return [
      await rebuild(glue, true),
      await rebuild("/sums.js"),
      await rebuild("/glue-only/rust_module.js"),
      await window.rustStore.rebuild(balances, { workers: 2, createWorker }).then(
        () => "done",
        ({ code, message }) => `${code}: ${message}`,
      ),
    ];
  });

  expect(codes).toEqual([
    "aborted",
    "rebuild-failed",
    "rebuild-failed",
    expect.stringMatching(/^rebuild-failed: balances: a worker .*attempt to add with overflow/s),
  ]);
  expect(await rowsOf(page, "balances")).toEqual(before);
});

test("a projection over the whole log is refused", async ({ page }) => {
  const codes = await page.evaluate(async () => {
    const { balances, codeOf, inRust } = { ...window.bank, balances: window.bank.inRust.balances };
    window.rustStore = await inRust.open("refused");
    return [
      await codeOf(window.rustStore.rebuild(inRust.owners, { workers: 2, module: inRust.glue })),
      await codeOf(window.rustStore.rebuild(balances, { workers: 2 })),
      await codeOf(window.rustStore.rebuild(balances, { workers: 2, module: inRust.glue })),
    ];
  });

  expect(codes).toEqual(["invalid-argument", "invalid-argument", "done"]);
});
