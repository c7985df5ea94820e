/** Makes the rows of one projection anew, with progress. */
import type { ProjectionStats } from "everfold";
import { Failure } from "../shell/failure.tsx";
import { useLedger } from "../shell/ledger-context.ts";
import { Progress } from "../shell/progress.tsx";
import { cancelRebuild, pauseRebuild, type RebuildJob, rebuild, useRebuildJob } from "./rebuild-job.ts";

const TITLES: Readonly<Record<string, string>> = { balances: "Balances", daily_totals: "Daily totals" };
const count = new Intl.NumberFormat("en-GB");

interface RebuildProps {
  readonly projection: ProjectionStats;
  readonly onDone: () => void;
}

export function Rebuild({ projection, onDone }: RebuildProps) {
  const ledger = useLedger();
  const { name, failed } = projection;
  const job = useRebuildJob(name);
  const title = TITLES[name] ?? name;
  return (
    <div className="storage-item">
      <div>
        <h3>{title}</h3>
        <p className="small soft" role="status">
          {newsOf(job) ?? standingOf(projection)}
        </p>
      </div>
      {job.status === "running" ? (
        <div className="storage-buttons">
          <button type="button" onClick={() => pauseRebuild(name, !job.paused)}>
            {job.paused ? "Resume" : "Pause"}
            <span className="visually-hidden"> the rebuild of {title}</span>
          </button>
          <button type="button" onClick={() => cancelRebuild(name)}>
            Cancel<span className="visually-hidden"> the rebuild of {title}</span>
          </button>
        </div>
      ) : (
        <button type="button" onClick={() => void rebuild(ledger, name).then(onDone)}>
          Rebuild<span className="visually-hidden"> {title}</span>
        </button>
      )}
      {job.status === "running" && (
        <Progress label={`Rebuilding ${title}`} done={job.done} total={job.total} unit="events" pace={job.pace} />
      )}
      {job.status === "failed" && <Failure error={job.error} />}
      {failed && <Failure error={failed} />}
    </div>
  );
}

function standingOf({ version, checkpoint, lag }: ProjectionStats): string {
  const where = lag === 0 ? `up to date with event ${count.format(checkpoint)}` : `${count.format(lag)} events behind`;
  return `Version ${version}, ${where}.`;
}

/** What became of the rebuild; undefined while there is nothing to tell. */
function newsOf(job: RebuildJob): string | undefined {
  switch (job.status) {
    case "running":
      return job.paused ? "Paused. Readers keep the old rows." : "Rebuilding. Readers keep the old rows.";
    case "done":
      return `Rebuilt from ${count.format(job.events)} events in ${job.seconds.toFixed(2)} s.`;
    case "cancelled":
      return "Cancelled. The rows are as they were.";
    default:
      return undefined;
  }
}
