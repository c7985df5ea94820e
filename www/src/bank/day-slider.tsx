/** Chooses the day that the bank is looked at: by dragging, by typing a date, or back to now. */
import { useId } from "react";
import { type Day, formatDay, isDay, startOf } from "../day.ts";
import { lastIndexUpTo } from "./day-index.ts";
import "./day-slider.css";

interface DaySliderProps {
  /** The days on which something happened, in order. At least one. */
  readonly days: readonly Day[];
  /** Null for now. */
  readonly day: Day | null;
  readonly onChange: (day: Day | null) => void;
}

export function DaySlider({ days, day, onChange }: DaySliderProps) {
  const id = useId();
  const first = days[0] ?? "";
  const last = days.at(-1) ?? "";
  const index = day === null ? days.length - 1 : lastIndexUpTo(days, day);
  return (
    <div className="day-slider">
      <input
        id="day-slider"
        type="range"
        min={0}
        max={days.length - 1}
        value={index}
        aria-label="Day that the balances are shown for"
        aria-valuetext={day === null ? "Now" : formatDay(startOf(day))}
        onChange={(event) => {
          const chosen = Number(event.target.value);
          onChange(chosen === days.length - 1 ? null : (days[chosen] ?? null));
        }}
      />
      <div className="day-slider-row">
        <label htmlFor={id} className="small soft">
          Balances as of the end of
        </label>
        <input
          id={id}
          type="date"
          min={first}
          max={last}
          value={day ?? last}
          onChange={(event) => onChange(isDay(event.target.value) ? event.target.value : null)}
        />
        <button type="button" className="quiet" aria-disabled={day === null} onClick={() => onChange(null)}>
          Back to now
        </button>
      </div>
    </div>
  );
}
