/** Long work under way: a bar, the counts, the rate, the time left. */
import type { Pace } from "./pace.ts";
import "./progress.css";

interface ProgressProps {
  readonly label: string;
  readonly done: number;
  /** 0 while it is not known. */
  readonly total: number;
  /** What is counted, in the plural. */
  readonly unit: string;
  readonly pace: Pace;
}

const count = new Intl.NumberFormat("en-GB");

export function Progress({ label, done, total, unit, pace }: ProgressProps) {
  return (
    <div className="progress">
      <p role="status" className="visually-hidden">
        {label}: {tenths(done, total)} %
      </p>
      <progress aria-label={label} value={total === 0 ? undefined : done} max={total || 1} />
      <p className="numeral small">
        {total === 0 ? (
          "Counting…"
        ) : (
          <>
            <strong>{count.format(done)}</strong> of {count.format(total)} {unit}
          </>
        )}
      </p>
      <p className="numeral small soft">
        {pace.perSecond > 0 && `${count.format(pace.perSecond)} ${unit}/s`}
        {pace.secondsLeft !== undefined && ` · ${duration(pace.secondsLeft)} left`}
      </p>
    </div>
  );
}

/** In steps of ten: a screen reader is told so much and no more. */
function tenths(done: number, total: number): number {
  return total === 0 ? 0 : Math.floor((done / total) * 10) * 10;
}

function duration(seconds: number): string {
  return seconds < 60 ? `${seconds} s` : `${Math.floor(seconds / 60)} min ${seconds % 60} s`;
}
