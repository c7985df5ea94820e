/**
 * The bank of `examples/rust-module` in the page, opened with its engine.
 */
import type { EngineModule } from "../../ts/index.js";
import { openStore, rustAggregate, rustProjection } from "../../ts/index.js";

const glue = "/rust_module.js";
const account = rustAggregate("account");
const balances = rustProjection<{ balance: number; transactions: number }>("balances");
const owners = rustProjection<{ accounts: number }, "accounts">("owners");

const engine = () => import(glue) as Promise<EngineModule>;

/** The engine, saying of each projection that its rows are of one stream each: of `owners` they are not. */
async function boastfulEngine(): Promise<EngineModule> {
  const module = await engine();
  const Told = module.Definitions as (new () => object) & { describe(): string };
  class Definitions extends Told {
    static override describe(): string {
      return Told.describe().replaceAll('"log"', '"stream"');
    }
  }
  return { ...module, Definitions };
}

/** Opens the bank under a name. */
function open(name: string, { boastful = false } = {}) {
  return openStore({
    name,
    engine: boastful ? boastfulEngine : engine,
    aggregates: [account],
    projections: [balances, owners],
    onProblem: () => {},
  });
}

/** 60 accounts of 7 owners with 100 movements each, most of them in segments, and other streams before and after them. */
async function openFilled(name: string, options?: { boastful?: boolean }) {
  const store = await open(name, options);
  for (let round = 0; round < 10; round += 1) {
    const batches = Array.from({ length: 60 }, (_, number) => {
      const opened = { type: "account.opened", data: { owner: `owner ${number % 7}` } };
      const moved = Array.from({ length: 10 }, (_, place) => ({
        type: place % 3 === 1 ? "account.money_withdrawn" : "account.money_deposited",
        data: { amount: number * 1_000 + round * 10 + place },
      }));
      const events = [...(round === 0 ? [opened] : []), ...moved];
      return events.map((event) => ({ ...event, streamId: `account-${number}` }));
    });
    const others = ["a-1", "z-1"].map((streamId) => [{ type: "seen", data: { round }, streamId }]);
    await store.ingest([...batches, ...others]);
    if (round < 9) {
      await store.compact();
    }
  }
  return store;
}

export const inRust = { account, balances, owners, glue, open, openFilled };

declare global {
  interface Window {
    /** What a test keeps between two evaluations. */
    rustStore: Awaited<ReturnType<typeof open>>;
  }
}
