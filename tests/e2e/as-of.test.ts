// A day ends at the last millisecond before UTC midnight, wherever the person who asks may be.

import { chromium } from "@playwright/test";
import { browserArguments, findBrowser } from "../../scripts/browser.mjs";
import { Demo, expect, listen, test } from "./demo.ts";

const STATEMENT = {
  name: "days.csv",
  text: [
    "transaction_id,account_id,date,direction,amount",
    "1,7,1993-01-30,credit,1.00",
    "2,7,1993-01-31,credit,20.00",
    "3,8,1993-02-01,credit,300.00",
    "4,7,1993-02-02,credit,4000.00",
  ].join("\n"),
};

for (const timezoneId of ["Pacific/Kiritimati", "Europe/Prague", "Pacific/Pago_Pago"]) {
  test(`the bank as of a day is the same in ${timezoneId}`, async ({ profile, serverUrl, complaints }) => {
    const executablePath = await findBrowser();
    const context = await chromium.launchPersistentContext(profile, {
      args: browserArguments,
      timezoneId,
      ...(executablePath === undefined ? {} : { executablePath }),
    });
    listen(context, complaints);
    const page = context.pages()[0] ?? (await context.newPage());
    await page.goto(serverUrl);
    const demo = new Demo(page);
    await demo.import(STATEMENT);
    await demo.bank();
    const totals = page.locator(".bank-total");

    for (const [day, shown] of [
      ["1993-01-30", "1.00\u00a0CZKin one account, at the end of 30 Jan 1993"],
      ["1993-01-31", "21.00\u00a0CZKin one account, at the end of 31 Jan 1993"],
      ["1993-02-01", "321.00\u00a0CZKin 2 accounts, at the end of 1 Feb 1993"],
    ] as const) {
      await page.getByLabel("Balances as of the end of").fill(day);
      await expect(totals).toHaveText(shown);
    }

    await expect(page.locator("tr[data-index]")).toContainText(["31 Jan 1993", "1 Feb 1993"]);
    await context.close();
  });
}
