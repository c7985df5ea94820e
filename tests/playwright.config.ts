// Browser tests of the TypeScript API (facade) and of the demo (e2e), one at a time: they measure kills, races and
// quotas, which do not share two cores well.

import { defineConfig } from "@playwright/test";

export default defineConfig({
  testDir: ".",
  testMatch: /(facade|e2e)\/.*\.test\.ts$/,
  outputDir: "../test-results",
  workers: 1,
  timeout: 120_000,
  // A shared machine may be slow; an answer that never comes is what these tests look for.
  expect: { timeout: 20_000 },
  forbidOnly: process.env["CI"] !== undefined,
  reporter: [["list"]],
});
