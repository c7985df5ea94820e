/** One device: its switch, where its sync stands, its accounts, a form, what was refused, what happened last. */
import { EverfoldProvider, useSyncStatus, useView } from "everfold/react";
import { useId, useState } from "react";
import { type Balance, balances } from "../balances.ts";
import { Amount } from "../shell/amount.tsx";
import { Failure } from "../shell/failure.tsx";
import { switchDevice, useArrangement } from "./arrangement.ts";
import type { Device } from "./device.ts";
import { DeviceEvents } from "./device-events.tsx";
import type { DeviceStore } from "./device-store.ts";
import type { ShownLog } from "./log.ts";
import { QuickMove } from "./quick-move.tsx";
import { RefusalTray } from "./refusal-tray.tsx";
import { contactText, statusLine } from "./status-text.ts";
import "./device-panel.css";

interface DevicePanelProps {
  readonly device: Device;
  readonly store: DeviceStore;
  readonly log: ShownLog | null;
}

export function DevicePanel({ device, store, log }: DevicePanelProps) {
  return (
    <EverfoldProvider store={store}>
      <section className="device" data-device={device.key} aria-label={device.name}>
        <header className="device-head">
          <h2>{device.name}</h2>
          <OnlineSwitch device={device} />
        </header>
        <SyncLine />
        <RefusalTray store={store} />
        <DeviceAccounts />
        <DeviceEvents log={log} />
      </section>
    </EverfoldProvider>
  );
}

function OnlineSwitch({ device }: { readonly device: Device }) {
  const online = !useArrangement().offline.includes(device.key);
  return (
    <button
      type="button"
      role="switch"
      className="online-switch"
      aria-checked={online}
      aria-label={`${device.name} is online`}
      onClick={() => switchDevice(device, online ? "offline" : "online")}
    >
      <span className="online-track" aria-hidden="true" />
      {online ? "Online" : "Offline"}
    </button>
  );
}

function SyncLine() {
  const status = useSyncStatus();
  const { tone, text } = statusLine(status);
  return (
    <div className="sync-line small">
      <p role="status" className={`sync-state ${tone}`}>
        {text}
      </p>
      <p className="soft">
        {contactText(status)}
        {status.state !== "off" && (status.leader ? " · this tab leads" : " · another tab leads")}
      </p>
      {status.progress && status.progress.total !== null && (
        <progress aria-label="Commits exchanged" value={status.progress.done} max={status.progress.total} />
      )}
      {status.blockedBy && <Failure error={status.blockedBy} />}
    </div>
  );
}

function DeviceAccounts() {
  const accounts = useView(balances, {});
  const [chosen, setChosen] = useState<string>();
  const name = useId();
  if (accounts.status === "failed") return <Failure error={accounts.error} />;
  const rows: readonly Readonly<Balance>[] = accounts.value?.map(({ row }) => row) ?? [];
  const from = rows.find((row) => row.account === chosen) ?? rows.find((row) => row.account === "Household") ?? rows[0];
  if (!from) {
    return (
      <p className="device-empty soft" role="status">
        {accounts.status === "loading" ? "Reading the accounts…" : "No accounts yet."}
      </p>
    );
  }
  return (
    <>
      <fieldset className="device-accounts">
        <legend className="visually-hidden">Account</legend>
        {rows.map(({ account, balance, frozen }) => (
          <label key={account}>
            <input
              type="radio"
              name={name}
              checked={account === from.account}
              onChange={() => setChosen(account)}
              className="visually-hidden"
            />
            <span className="device-account">
              {account} {frozen && <span className="badge">Frozen</span>}
            </span>
            <Amount value={balance} bare />
          </label>
        ))}
      </fieldset>
      <QuickMove from={from.account} accounts={rows.map(({ account }) => account)} />
    </>
  );
}
