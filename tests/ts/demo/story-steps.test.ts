import { openStore } from "everfold";
import { expect, test, vi } from "vitest";
import type { DeviceStore } from "../../../www/src/devices/device-store.ts";
import { ACCOUNT, STORY, type Stage } from "../../../www/src/devices/story-steps.ts";
import { account } from "../../../www/src/ledger.ts";

vi.mock("../../../www/src/devices/arrangement.ts", () => ({ switchDevice: () => undefined }));

/** What the story takes from an account that holds so much. */
async function amountOf(balance: number): Promise<number> {
  const store = await openStore({ name: "story", storage: "memory", aggregates: [account] });
  await store.execute(account, ACCOUNT, { type: "Open", data: { owner: ACCOUNT } });
  await store.execute(account, ACCOUNT, { type: "Deposit", data: { amount: balance } });
  const device = { ...store, sync: { ...store.sync, now: async () => undefined } } as unknown as DeviceStore;
  const stage: Stage = { anna: device, ben: device, stop: new AbortController(), props: { amount: 0 } };
  await STORY[0]?.run(stage);
  await store.close();
  return stage.props.amount;
}

test.each([100_00, 133_34, 150_00, 199_99, 299_00, 700_00, 12_000_00])(
  "of %i hellers one withdrawal is covered, and two are not",
  async (balance) => {
    const amount = await amountOf(balance);

    expect(amount).toBeLessThanOrEqual(balance);
    expect(amount * 2).toBeGreaterThan(balance);
  },
);
