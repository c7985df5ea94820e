/** The whole bank: what it holds, how that came about, and every account in it. */
import { useView } from "everfold/react";
import { useMemo, useState } from "react";
import { type Balance, balances } from "../balances.ts";
import { dailyTotals } from "../daily-totals.ts";
import { type Day, formatDay, startOf } from "../day.ts";
import { formatMoney, formatRoughly } from "../money.ts";
import { Amount } from "../shell/amount.tsx";
import { Failure } from "../shell/failure.tsx";
import { Page } from "../shell/shell.tsx";
import { TimeChart } from "../shell/time-chart.tsx";
import { Tour } from "../tour/tour.tsx";
import { AccountsTable } from "./accounts-table.tsx";
import { useBalancesAsOf } from "./as-of.ts";
import { lastIndexUpTo } from "./day-index.ts";
import { DaySlider } from "./day-slider.tsx";
import { OpenAccount } from "./open-account.tsx";
import { SampleNotice } from "./sample-notice.tsx";
import { useSampleRun } from "./sample-run.ts";
import { Welcome } from "./welcome.tsx";
import "./bank-page.css";

// #region live
export function BankPage() {
  const filling = useSampleRun().status === "running";
  return filling ? <Welcome /> : <LiveBank />;
}

function LiveBank() {
  const accounts = useView(balances, {});
  if (accounts.status === "failed") return <BankFailed error={accounts.error} />;
  if (accounts.status === "loading") return <BankLoading />;
  return accounts.value.length === 0 ? <Welcome /> : <Bank entries={accounts.value} />;
}
// #endregion

function Bank({ entries }: { readonly entries: readonly { readonly row: Readonly<Balance> }[] }) {
  const now = useMemo(() => entries.map(({ row }) => row), [entries]);
  const [day, setDay] = useState<Day | null>(null);
  const then = useBalancesAsOf(day, now);
  const { days, holdings } = useHoldings();
  const heldOn = (wanted: Day): number => (wanted < (days[0] ?? "") ? 0 : (holdings[lastIndexUpTo(days, wanted)] ?? 0));

  const shownDay = then.answer?.key;
  const rows: readonly Readonly<Balance>[] = then.answer?.value ?? now;
  // What the bank held in all is known of every day; it follows the slider before the accounts do.
  const total = then.waiting && day !== null ? heldOn(day) : rows.reduce((sum, { balance }) => sum + balance, 0);
  const moment = shownDay ? `at the end of ${formatDay(startOf(shownDay))}` : "now";
  const lastDay = days.length - 1;

  return (
    <Page
      title="The whole bank"
      lead={
        <div className="bank-total">
          <p className="bank-sum">
            <Amount value={total} />
          </p>
          <p className="soft" role="status">
            {then.waiting && day !== null
              ? `at the end of ${formatDay(startOf(day))}, folding the accounts…`
              : `in ${accountsText(rows.length)}, ${moment}`}
          </p>
        </div>
      }
    >
      <SampleNotice />
      <Tour day={day} onDay={setDay} days={days} />
      {then.error !== undefined && <Failure error={then.error} />}
      {days.length > 1 && (
        <section className="panel bank-days" aria-label="Holdings of the bank by day">
          <TimeChart
            label={`Money held by the bank, from ${formatMoney(holdings[0] ?? 0)} on ${formatDay(startOf(days[0] ?? ""))} to ${formatMoney(holdings[lastDay] ?? 0)} on ${formatDay(startOf(days[lastDay] ?? ""))}.`}
            places={days.map((_, index) => index)}
            values={holdings}
            marked={day === null ? lastDay : lastIndexUpTo(days, day)}
            onPick={(index) => setDay(index === lastDay ? null : (days[index] ?? null))}
            formatPlace={(index) => (days[index] ? formatDay(startOf(days[index])) : "")}
            formatValue={formatRoughly}
          />
          <DaySlider days={days} day={day} onChange={setDay} />
          <progress
            className="bank-folding"
            aria-label="Folding the events up to that day"
            value={then.done}
            hidden={!then.waiting}
          />
        </section>
      )}
      <section className="bank-accounts" aria-busy={then.waiting}>
        <div className="bank-accounts-head">
          <h2>{shownDay ? `Accounts at the end of ${formatDay(startOf(shownDay))}` : "Accounts"}</h2>
          <OpenAccount taken={now} />
        </div>
        <AccountsTable rows={rows} caption={`Accounts and their balances, ${moment}`} />
      </section>
    </Page>
  );
}

/** What the bank held at the end of each day on which something happened. */
function useHoldings(): { readonly days: readonly Day[]; readonly holdings: readonly number[] } {
  const totals = useView(dailyTotals, {});
  return useMemo(() => {
    const entries = totals.status === "ready" ? totals.value : [];
    let held = 0;
    return { days: entries.map(({ key }) => key), holdings: entries.map(({ row }) => (held += row.change)) };
  }, [totals]);
}

function accountsText(accounts: number): string {
  return accounts === 1 ? "one account" : `${accounts.toLocaleString("en-GB")} accounts`;
}

function BankLoading() {
  return (
    <Page title="The whole bank" lead={<p className="bank-sum folding" aria-hidden="true" />}>
      <p role="status" className="soft">
        Reading the balances…
      </p>
    </Page>
  );
}

function BankFailed({ error }: { readonly error: unknown }) {
  return (
    <Page title="The whole bank">
      <Failure error={error} />
    </Page>
  );
}
