/** Several devices on one ledger: each works by itself, and all end with the same log. */
import { type ReactNode, Suspense, use, useCallback, useEffect, useState } from "react";
import { Failure, FailureBoundary } from "../shell/failure.tsx";
import { Page } from "../shell/shell.tsx";
import { CodeSample } from "../tour/code-sample.tsx";
import { addDevice, useArrangement } from "./arrangement.ts";
import { DEVICES } from "./device.ts";
import { useDeviceLogs } from "./device-log.ts";
import { DevicePanel } from "./device-panel.tsx";
import { type DeviceStore, deviceStore } from "./device-store.ts";
import deviceSource from "./device-store.ts?raw";
import { fillFirst } from "./first-accounts.ts";
import { ForgetDevices } from "./forget-devices.tsx";
import { LogLadder } from "./log-ladder.tsx";
import { NoServer } from "./no-server.tsx";
import { useServerLog } from "./server-log.ts";
import { Story } from "./story.tsx";
import { isServerThere } from "./sync-server.ts";
import "./devices-page.css";

export function DevicesPage() {
  const [asking, setAsking] = useState(isServerThere);
  return (
    <FailureBoundary fallback={(error) => <DevicesFailed error={error} />}>
      <Suspense fallback={<Opening />}>
        <Devices asking={asking} onAskAgain={() => setAsking(isServerThere())} />
      </Suspense>
    </FailureBoundary>
  );
}

interface DevicesProps {
  readonly asking: Promise<boolean>;
  readonly onAskAgain: () => void;
}

/** Devices that have never met a server have nothing to show without one. Those that have work on. */
function Devices({ asking, onAskAgain }: DevicesProps) {
  const { used } = useArrangement();
  const meet = used || use(asking);
  const opened = useDeviceStores(meet);
  if (!meet) {
    return (
      <Frame>
        <NoServer onAskAgain={onAskAgain} />
      </Frame>
    );
  }
  if (opened.error !== undefined) return <DevicesFailed error={opened.error} />;
  return opened.stores.length === 0 ? <Opening /> : <OpenDevices stores={opened.stores} />;
}

/** The devices that are open: one that is added joins when it is. */
function useDeviceStores(wanted: boolean): { readonly stores: readonly DeviceStore[]; readonly error?: unknown } {
  const { count } = useArrangement();
  const [opened, setOpened] = useState<{ stores: readonly DeviceStore[]; error?: unknown }>({ stores: [] });
  useEffect(() => {
    if (!wanted) return;
    let shown = true;
    Promise.all(DEVICES.slice(0, count).map(deviceStore)).then(
      (stores) => shown && setOpened({ stores }),
      (error: unknown) => shown && setOpened({ stores: [], error }),
    );
    return () => {
      shown = false;
    };
  }, [wanted, count]);
  return opened;
}

function OpenDevices({ stores }: { readonly stores: readonly DeviceStore[] }) {
  const { space } = useArrangement();
  const devices = DEVICES.slice(0, stores.length);
  const logs = useDeviceLogs(stores);
  const server = useServerLog(space, useHeard(stores));
  const [first, second] = stores;
  useEffect(() => {
    if (!first) return;
    const stop = new AbortController();
    fillFirst(first, stop.signal).catch((error: unknown) => {
      if (!stop.signal.aborted) console.warn("the first accounts were not opened:", error);
    });
    return () => stop.abort();
  }, [first]);

  return (
    <Frame>
      {first && second && <Story anna={first} ben={second} ready={server !== null} />}
      <div className="devices-stage" data-count={stores.length}>
        <LogLadder devices={devices} logs={logs} server={server} />
        {devices.map((device, index) => {
          const store = stores[index];
          return store && <DevicePanel key={device.key} device={device} store={store} log={logs[index] ?? null} />;
        })}
      </div>
      <HowItIsDone />
      <div className="devices-foot">
        {stores.length < DEVICES.length && (
          <button type="button" onClick={addDevice}>
            Add {DEVICES[stores.length]?.name}
          </button>
        )}
        <ForgetDevices />
      </div>
    </Frame>
  );
}

/** When any of the devices last heard from the server. */
function useHeard(stores: readonly DeviceStore[]): number {
  const [heard, setHeard] = useState(0);
  const look = useCallback(
    () => setHeard(Math.max(0, ...stores.map((store) => store.sync.status().lastContact ?? 0))),
    [stores],
  );
  useEffect(() => {
    look();
    const ends = stores.map((store) => store.sync.subscribe(look));
    return () => {
      for (const end of ends) end();
    };
  }, [stores, look]);
  return heard;
}

function Frame({ children }: { readonly children: ReactNode }) {
  return (
    <Page
      title="Devices"
      lead={
        <p className="devices-lead soft">
          Anna and Ben share a household. Each device has a database of its own and works with or without a network; the
          server puts what they did into one order.
        </p>
      }
    >
      {children}
    </Page>
  );
}

function HowItIsDone() {
  return (
    <section className="panel devices-how" aria-label="How it is done">
      <p>
        A device is a store with a server, a space and somebody who gives it a token. Everything else on this page is
        the same rules and the same calls as on the others: commands are decided here and at once, and again where the
        server’s order turns out to be another.
      </p>
      <CodeSample source={deviceSource} region="open" file="devices/device-store.ts" />
    </section>
  );
}

function Opening() {
  return (
    <Frame>
      <p role="status" className="soft">
        Opening the devices…
      </p>
    </Frame>
  );
}

function DevicesFailed({ error }: { readonly error: unknown }) {
  return (
    <Frame>
      <Failure error={error} />
      <div className="devices-foot">
        <ForgetDevices />
      </div>
    </Frame>
  );
}
