/** A debugger for an account: its events one by one, forwards and backwards, and the first by which something came about. */
import type { KeyboardEvent } from "react";
import { Failure } from "../../shell/failure.tsx";
import { FindFirst } from "./find-first.tsx";
import { useStep } from "./replay-step.ts";
import { StepView } from "./step-view.tsx";
import "./replay-panel.css";

interface ReplayPanelProps {
  readonly id: string;
  /** How many events the account has. */
  readonly version: number;
  /** The event that is looked at. */
  readonly shown: number;
  readonly onLook: (version: number) => void;
}

export function ReplayPanel({ id, version, shown, onLook }: ReplayPanelProps) {
  const { answer, error } = useStep(id, shown);
  const go = (wanted: number): void => onLook(Math.min(Math.max(wanted, 1), version));
  const goByKey = (event: KeyboardEvent): void => {
    const wanted = { ArrowLeft: shown - 1, ArrowRight: shown + 1, Home: 1, End: version }[event.key];
    if (wanted === undefined) return;
    event.preventDefault();
    go(wanted);
  };
  return (
    <section className="replay" aria-label="Replay">
      {/* biome-ignore lint/a11y/useSemanticElements: a fieldset is for fields; these are buttons */}
      <div className="replay-steps" role="group" aria-label="Step through the events" onKeyDown={goByKey}>
        <button type="button" aria-disabled={shown <= 1} onClick={() => go(shown - 1)}>
          <span aria-hidden="true">←</span> Previous
        </button>
        <span className="numeral">
          {shown} of {version}
        </span>
        <button type="button" aria-disabled={shown >= version} onClick={() => go(shown + 1)}>
          Next <span aria-hidden="true">→</span>
        </button>
      </div>
      <FindFirst id={id} onFound={go} />
      {error !== undefined && <Failure error={error} />}
      {answer && <StepView step={answer.value} />}
    </section>
  );
}
