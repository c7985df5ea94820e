/** The story of two withdrawals that one account cannot pay: what happens, step by step, and how it is done. */
import { isEverfoldError } from "everfold";
import { account } from "../ledger.ts";
import { formatMoney, type Hellers } from "../money.ts";
import { switchDevice } from "./arrangement.ts";
import { DEVICES } from "./device.ts";
import type { DeviceStore } from "./device-store.ts";

export const ACCOUNT = "Household";

export interface Stage {
  readonly anna: DeviceStore;
  readonly ben: DeviceStore;
  readonly stop: AbortController;
  /** What the steps before have left for those after them. */
  readonly props: { amount: Hellers; confirmed?: Promise<unknown>; refused?: Promise<unknown> };
}

export interface StoryStep {
  /** On the button that does it. */
  readonly does: string;
  /** What has happened when it is done. */
  readonly tells: (props: Stage["props"]) => string;
  readonly run: (stage: Stage) => Promise<void>;
}

const [ANNA, BEN] = DEVICES;
/** The least that the account should hold for a story about it. */
const ENOUGH: Hellers = 100_00;

export const STORY: readonly StoryStep[] = [
  {
    does: "Go offline",
    tells: () => "Both phones are offline. Whatever they do now stays on them until they are back.",
    async run({ anna, ben, stop: { signal }, props }) {
      for (const device of [ANNA, BEN]) switchDevice(device, "online");
      const { state } = await anna.load(account, ACCOUNT, { fresh: true });
      if (state.balance < ENOUGH) {
        const toppedUp = await anna.execute(account, ACCOUNT, {
          type: "Deposit",
          data: { amount: 12_000_00, note: "For the story" },
        });
        await toppedUp.confirmed({ signal });
      }
      await Promise.all([anna.sync.now({ signal }), ben.sync.now({ signal })]);
      const { balance } = (await anna.load(account, ACCOUNT)).state;
      // Once it is covered, twice it is not. Whole hundreds are easier to follow, where there are enough of them.
      props.amount = Math.min(Math.ceil((balance * 0.75) / 100_00) * 100_00, balance);
      for (const device of [ANNA, BEN]) switchDevice(device, "offline");
    },
  },
  {
    does: "Anna pays",
    tells: ({ amount }) =>
      `Anna withdrew ${formatMoney(amount)}. It is on her disk, covered as far as her phone knows, and pending.`,
    async run({ anna, stop: { signal }, props }) {
      const receipt = await withdraw(anna, props.amount);
      // Ben is back first: hers is the one that is decided again.
      props.refused = receipt.confirmed({ signal }).then(
        () => undefined,
        (error: unknown) => {
          if (!isEverfoldError(error, "refused")) throw error;
        },
      );
      props.refused.catch(() => undefined);
    },
  },
  {
    does: "Ben pays",
    tells: ({ amount }) =>
      `Ben withdrew ${formatMoney(amount)} from the same account. Both are right by what they know; together they are not.`,
    async run({ ben, stop: { signal }, props }) {
      props.confirmed = (await withdraw(ben, props.amount)).confirmed({ signal });
      props.confirmed.catch(() => undefined);
    },
  },
  {
    does: "Ben comes back",
    tells: () => "Ben is online. The server took his withdrawal: his mark is gone, his log and the server’s are equal.",
    async run({ props }) {
      switchDevice(BEN, "online");
      await props.confirmed;
    },
  },
  {
    does: "Anna comes back",
    tells: () =>
      "Anna is online. Hers was decided again after Ben’s, refused, and waits on her phone with the reason. All hashes are equal.",
    async run({ props }) {
      switchDevice(ANNA, "online");
      await props.refused;
    },
  },
];

/** However far the story is, nobody is left offline by it. */
export function endStory(): void {
  for (const device of [ANNA, BEN]) switchDevice(device, "online");
}

function withdraw(store: DeviceStore, amount: Hellers) {
  return store.execute(account, ACCOUNT, { type: "Withdraw", data: { amount, note: "Story" } });
}
