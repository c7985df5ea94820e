/** Makes the rows of one projection anew, with progress. */
import type { ProjectionStats } from "everfold";
import { useState } from "react";
import { balances } from "../balances.ts";
import { dailyTotals } from "../daily-totals.ts";
import { Failure } from "../shell/failure.tsx";
import { useLedger } from "../shell/ledger-context.ts";
import { type Pace, Progress, paceOf } from "../shell/progress.tsx";

const PROJECTIONS = [balances, dailyTotals] as const;
const TITLES: Readonly<Record<string, string>> = { balances: "Balances", daily_totals: "Daily totals" };
const count = new Intl.NumberFormat("en-GB");

type State =
  | { readonly status: "idle" }
  | { readonly status: "running"; readonly done: number; readonly total: number; readonly pace: Pace }
  | { readonly status: "done"; readonly seconds: number }
  | { readonly status: "failed"; readonly error: unknown };

interface RebuildProps {
  readonly projection: ProjectionStats;
  readonly onDone: () => void;
}

export function Rebuild({ projection: { name, version, checkpoint, lag, failed }, onDone }: RebuildProps) {
  const ledger = useLedger();
  const [state, setState] = useState<State>({ status: "idle" });
  const title = TITLES[name] ?? name;

  const rebuild = async (): Promise<void> => {
    const definition = PROJECTIONS.find((candidate) => candidate.name === name);
    if (!definition) return;
    const startedAt = performance.now();
    setState({ status: "running", done: 0, total: checkpoint, pace: paceOf(0, 1, startedAt, startedAt) });
    try {
      await ledger.rebuild(definition, {
        onProgress: ({ processed, total }) => {
          const pace = paceOf(processed, total, startedAt, performance.now());
          setState({ status: "running", done: processed, total, pace });
        },
      });
      setState({ status: "done", seconds: (performance.now() - startedAt) / 1000 });
      onDone();
    } catch (error) {
      setState({ status: "failed", error });
    }
  };

  return (
    <div className="storage-item">
      <div>
        <h3>{title}</h3>
        <p className="small soft numeral" role="status">
          {state.status === "done"
            ? `Rebuilt from ${count.format(checkpoint)} events in ${state.seconds.toFixed(2)} s.`
            : `Version ${version}, ${lag === 0 ? `up to date with event ${count.format(checkpoint)}` : `${count.format(lag)} events behind`}.`}
        </p>
      </div>
      <button type="button" disabled={state.status === "running"} onClick={() => void rebuild()}>
        Rebuild<span className="visually-hidden"> {title}</span>
      </button>
      {state.status === "running" && (
        <Progress label={`Rebuilding ${title}`} done={state.done} total={state.total} unit="events" pace={state.pace} />
      )}
      {state.status === "failed" && <Failure error={state.error} />}
      {failed && <Failure error={failed} />}
    </div>
  );
}
