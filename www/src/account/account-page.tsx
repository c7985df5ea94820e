/** One account: what it holds, now or after any of its events, and what can be done with it. */
import { useAggregate } from "everfold/react";
import { useCallback, useMemo, useState } from "react";
import { formatDay, formatMoment } from "../day.ts";
import { type Account, account } from "../ledger.ts";
import { formatMoney, formatRoughly } from "../money.ts";
import { Amount } from "../shell/amount.tsx";
import { Failure } from "../shell/failure.tsx";
import { useLatest } from "../shell/latest.ts";
import { useLedger } from "../shell/ledger-context.ts";
import { hrefOf } from "../shell/route.ts";
import { Page } from "../shell/shell.tsx";
import { TimeChart } from "../shell/time-chart.tsx";
import { Freezing } from "./freezing.tsx";
import { type Moment, useHistory } from "./history.ts";
import { HistoryTable } from "./history-table.tsx";
import { MoveMoney } from "./move-money.tsx";
import { ReplayPanel } from "./replay/replay-panel.tsx";
import "./account-page.css";

export function AccountPage({ id }: { readonly id: string }) {
  const loaded = useAggregate(account, id);
  if (loaded.status === "failed") {
    return (
      <Page title={`Account ${id}`}>
        <Failure error={loaded.error} />
      </Page>
    );
  }
  if (loaded.status === "loading") {
    return (
      <Page title={`Account ${id}`}>
        <p role="status" className="soft">
          Reading the account…
        </p>
      </Page>
    );
  }
  const { state, version } = loaded.value;
  if (version === 0) {
    return (
      <Page title="No such account">
        <p>
          Nothing has happened to an account {id} in this bank. <a href={hrefOf({ page: "bank" })}>See all accounts</a>.
        </p>
      </Page>
    );
  }
  return <OpenedAccount id={id} state={state} version={version} />;
}

interface OpenedAccountProps {
  readonly id: string;
  readonly state: Account;
  readonly version: number;
}

function OpenedAccount({ id, state, version }: OpenedAccountProps) {
  const [atVersion, setAtVersion] = useState<number | null>(null);
  const [replaying, setReplaying] = useState(false);
  const then = useStateAt(id, atVersion);
  const history = useHistory(id, version);
  const moments = history.status === "ready" ? history.moments : [];
  const look = (next: number): void => setAtVersion(next >= version ? null : next);

  const shown = then.answer?.value ?? (atVersion === null ? state : undefined);
  const shownVersion = then.answer?.key ?? version;
  const moment = moments[shownVersion - 1];

  return (
    <Page
      title={state.owner || `Account ${id}`}
      lead={
        <>
          <p className="soft">
            {state.owner && <>Account {id} · </>}
            {moments[0] && (
              <>
                {state.owner ? "since" : "Since"} {formatDay(moments[0].event.occurredAt)}
              </>
            )}
          </p>
          <div className="account-now">
            <p className={shown ? "account-balance" : "account-balance folding"}>
              <Amount value={shown?.balance ?? state.balance} />{" "}
              {(shown ?? state).frozen && <span className="badge">Frozen</span>}
            </p>
            <p role="status" className="soft">
              {then.answer && moment
                ? `after event ${then.answer.key} of ${version}, ${formatMoment(moment.event.occurredAt)}`
                : `now, after ${version === 1 ? "one event" : `${version} events`}`}
            </p>
          </div>
        </>
      }
    >
      {then.error !== undefined && <Failure error={then.error} />}
      {history.status === "failed" && <Failure error={history.error} />}
      <div className="account-columns">
        {moments.length > 1 && (
          <section className="panel account-time" aria-label="Balance over time">
            <BalanceChart moments={moments} marked={shownVersion - 1} onPick={(index) => look(index + 1)} />
            <div className="account-slider">
              <input
                type="range"
                min={1}
                max={version}
                value={atVersion ?? version}
                aria-label="Event after which the account is shown"
                aria-valuetext={atVersion === null ? "Now" : `Event ${atVersion} of ${version}`}
                onChange={(event) => look(Number(event.target.value))}
              />
              <button
                type="button"
                className="quiet"
                aria-disabled={atVersion === null}
                onClick={() => setAtVersion(null)}
              >
                Back to now
              </button>
            </div>
            <div>
              <button type="button" aria-expanded={replaying} onClick={() => setReplaying(!replaying)}>
                {replaying ? "Close the replay" : "Replay event by event"}
              </button>
            </div>
            {replaying && <ReplayPanel id={id} version={version} shown={atVersion ?? version} onLook={look} />}
          </section>
        )}
        <section className="panel account-actions" aria-label="Move money">
          <MoveMoney id={id} />
          <Freezing id={id} frozen={state.frozen} />
        </section>
      </div>
      <section className="account-events">
        <h2>Events</h2>
        {history.status === "loading" ? (
          <p className="soft">Reading the events…</p>
        ) : (
          <HistoryTable moments={moments} shownVersion={shownVersion} onLook={look} />
        )}
      </section>
    </Page>
  );
}

/** The state after one of the account's events, asked from the store. Null asks nothing. */
function useStateAt(id: string, atVersion: number | null) {
  const ledger = useLedger();
  const ask = useCallback(
    async (wanted: number, signal: AbortSignal) => {
      const { state } = await ledger.load(account, id, { atVersion: wanted, signal });
      return state;
    },
    [ledger, id],
  );
  return useLatest(atVersion, ask);
}

interface BalanceChartProps {
  readonly moments: readonly Moment[];
  readonly marked: number;
  readonly onPick: (index: number) => void;
}

function BalanceChart({ moments, marked, onPick }: BalanceChartProps) {
  const places = useMemo(() => risingTimes(moments), [moments]);
  const values = useMemo(() => moments.map(({ balanceAfter }) => balanceAfter), [moments]);
  const [first, last] = [moments[0], moments.at(-1)];
  return (
    <TimeChart
      label={
        first && last
          ? `Balance from ${formatDay(first.event.occurredAt)} to ${formatDay(last.event.occurredAt)}, now ${formatMoney(last.balanceAfter)}.`
          : "Balance over time"
      }
      places={places}
      values={values}
      marked={marked}
      onPick={onPick}
      formatPlace={formatDay}
      formatValue={formatRoughly}
      stepped
    />
  );
}

/** The axis must rise: an event recorded after another but dated before it stands at the other's time. */
function risingTimes(moments: readonly Moment[]): readonly number[] {
  let latest = Number.NEGATIVE_INFINITY;
  return moments.map(({ event }) => (latest = Math.max(latest, event.occurredAt)));
}
