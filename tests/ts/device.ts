/**
 * Devices: stores that sync with one fake server, each with its own database in memory and its own network.
 */
import { afterEach } from "vitest";
import type { AnyAggregate } from "../../ts/aggregate.js";
import type { Core } from "../../ts/core.js";
import type { AnyDecision } from "../../ts/decision.js";
import { type Engine, startEngine } from "../../ts/engine.js";
import type { RecordedEvent } from "../../ts/event.js";
import type { AnyProjection } from "../../ts/projection.js";
import { storeHandle } from "../../ts/store.js";
import { checkSync } from "../../ts/sync/options.js";
import type { Problem, Store, SyncOptions } from "../../ts/types.js";
import { publishedRuntime } from "../../ts/wasm.js";
import type { FakeServer } from "./fake-server.js";
import { account, balances, transfer } from "./ledger.js";
import { all } from "./opened.js";
import { type Browser, browser, settled, type Tab } from "./outside.js";
import { wasm } from "./wasm-files.js";

const open: (() => Promise<void>)[] = [];
let devices = 0;

afterEach(async () => {
  for (const close of open.splice(0)) {
    await close();
  }
});

/** The ledger, unless a test says otherwise. */
export const ledger = { aggregates: [account], decisions: [transfer], projections: [balances] } as const;

export interface DeviceOptions {
  readonly aggregates?: readonly AnyAggregate[];
  readonly decisions?: readonly AnyDecision[];
  readonly projections?: readonly AnyProjection[];
  /** Another tab of a device. */
  readonly of?: { readonly name: string; readonly outside: Browser };
  readonly sync?: Partial<SyncOptions> | "off";
  readonly online?: boolean;
}

/** Opens a store on a device of its own. */
export async function device<
  As extends readonly AnyAggregate[] = typeof ledger.aggregates,
  Ds extends readonly AnyDecision[] = typeof ledger.decisions,
  Ps extends readonly AnyProjection[] = typeof ledger.projections,
>(server: FakeServer, options: DeviceOptions = {}) {
  const { aggregates = ledger.aggregates, decisions = ledger.decisions, projections = ledger.projections } = options;
  const { name, outside } = options.of ?? { name: `device-${++devices}`, outside: browser() };
  let cut = false;
  const tab: Tab = outside.tab((address, init) =>
    cut ? Promise.reject(new TypeError("no network")) : server.fetch(address, init),
  );
  const problems: Problem[] = [];
  const sync = checkSync({
    ...{ url: "https://sync.example", space: "acme", subject: "ann", token: () => "token" },
    ...(options.sync === "off" ? undefined : options.sync),
  });
  const online = (on: boolean) => {
    cut = !on;
    tab.set({ online: on });
  };
  if (options.online === false) {
    online(false);
  }
  let lost = (_reason: string) => {};
  const coreOpened = (core: Core) => {
    const closed = core.closed();
    const losing = new Promise<string>((resolve) => {
      lost = resolve;
    });
    core.closed = () => Promise.race([closed, losing]);
  };
  const engine: Engine = await startEngine({
    name,
    storage: "memory",
    durability: "strict",
    runtime: publishedRuntime,
    wasm: () => wasm,
    environment: { ...tab, coreOpened },
    sync: options.sync === "off" ? undefined : sync,
  });
  const onProblem = (problem: Problem) => void problems.push(problem);
  const handle = storeHandle(engine, { aggregates, decisions, projections, onProblem }, () => engine.close());
  open.push(() => handle.close());
  const store = handle as unknown as Store<As, Ds, Ps>;
  return {
    ...{ name, outside, tab, store, engine, problems, online },
    /** The browser takes its database away. */
    async lose() {
      lost("lost");
      await settled();
    },
    /** Lets time pass until nothing is under way, up to a minute. */
    pass: outside.pass,
    /** The log as everybody must have it. */
    async log() {
      const events = await all(store.read());
      return events.map((event) => told(event as RecordedEvent));
    },
    codes: () => problems.map(({ code }) => code),
  };
}

export type Device = Awaited<ReturnType<typeof device>>;

/** What devices must agree on. */
function told({ receivedAt: _, ...event }: RecordedEvent & { readonly receivedAt?: number }) {
  return event;
}
