/** Four things to try, each with the lines that make it work. */
import { useView } from "everfold/react";
import { useId, useState } from "react";
import { balances } from "../balances.ts";
import asOfSource from "../bank/as-of.ts?raw";
import bankSource from "../bank/bank-page.tsx?raw";
import { type Day, formatDay, startOf } from "../day.ts";
import ledgerSource from "../ledger.ts?raw";
import { hrefOf } from "../shell/route.ts";
import { BreakRule } from "./break-rule.tsx";
import { CodeSample } from "./code-sample.tsx";
import { Crash } from "./crash.tsx";
import { hasCrashed } from "./crash-record.ts";
import workerSource from "./crash-worker.ts?raw";
import "./tour.css";

interface TourProps {
  readonly day: Day | null;
  readonly days: readonly Day[];
  readonly onDay: (day: Day) => void;
}

const STEPS = [
  { name: "day", title: "Drag the day" },
  { name: "tab", title: "Open a second tab" },
  { name: "rule", title: "Break a rule" },
  { name: "crash", title: "Crash and reload" },
] as const;

type Step = (typeof STEPS)[number]["name"];

export function Tour(props: TourProps) {
  // After a crash the page comes back to the step that caused it, which tells what was found.
  const [open, setOpen] = useState<Step | null>(hasCrashed() ? "crash" : null);
  const id = useId();
  return (
    <section className="tour" aria-label="Four things to try">
      <ol className="tour-steps">
        {STEPS.map(({ name, title }, index) => (
          <li key={name}>
            <button
              type="button"
              aria-expanded={open === name}
              aria-controls={open === name ? id : undefined}
              onClick={() => setOpen(open === name ? null : name)}
            >
              <span className="tour-number numeral" aria-hidden="true">
                {index + 1}
              </span>
              {title}
            </button>
          </li>
        ))}
      </ol>
      {open && (
        <div id={id} className="panel tour-detail arrives" key={open}>
          <Detail step={open} {...props} />
        </div>
      )}
    </section>
  );
}

function Detail({ step, days, day, onDay }: TourProps & { readonly step: Step }) {
  switch (step) {
    case "day":
      return (
        <>
          <div className="tour-text">
            <p>
              The balances below are folded from the events that had happened by the end of a day. Nothing was stored
              for that day; any day will do. Drag the slider under the chart, or start here.
            </p>
            <DayButton days={days} day={day} onDay={onDay} />
          </div>
          <CodeSample source={asOfSource} region="as-of" file="bank/as-of.ts" />
        </>
      );
    case "tab":
      return (
        <>
          <div className="tour-text">
            <p>
              Open an account in a second tab, put the two side by side, and deposit something there. The balance moves
              here too, and two tabs that write at once never lose an update.
            </p>
            <SecondTab />
          </div>
          <CodeSample source={bankSource} region="live" file="bank/bank-page.tsx" />
        </>
      );
    case "rule":
      return (
        <>
          <div className="tour-text">
            <p>
              Rules are plain functions. They decide on the state that is true when the commit is written, in whichever
              tab, and a refusal leaves nothing behind.
            </p>
            <BreakRule />
          </div>
          <CodeSample source={ledgerSource} region="rules" file="ledger.ts" />
        </>
      );
    case "crash":
      return (
        <>
          <div className="tour-text">
            <p>
              A worker moves one crown to and fro between two accounts, as fast as it can. It is killed in mid-commit
              and the page reloads. What was acknowledged must be there, and no transfer may be half there.
            </p>
            <Crash />
          </div>
          <CodeSample source={workerSource} region="crash" file="tour/crash-worker.ts" />
        </>
      );
  }
}

function DayButton({ days, day, onDay }: Pick<TourProps, "days" | "day" | "onDay">) {
  const middle = days[Math.floor(days.length * 0.4)];
  if (!middle || days.length < 2) return null;
  const show = (): void => {
    onDay(middle);
    const slider = document.getElementById("day-slider");
    slider?.scrollIntoView({ block: "center" });
    slider?.focus({ preventScroll: true });
  };
  return (
    <div>
      <button type="button" className="primary" onClick={show} disabled={day === middle}>
        Show {formatDay(startOf(middle))}
      </button>
    </div>
  );
}

/** Where something happened last, there is something to see. */
function SecondTab() {
  const latest = useView(balances, { index: "lastActivity", reverse: true, limit: 1 });
  const first = latest.value?.[0]?.row;
  if (!first) return null;
  return (
    <div>
      <a
        className="button primary"
        href={hrefOf({ page: "account", id: first.account })}
        target="_blank"
        rel="noreferrer"
      >
        Open account {first.account} in a new tab
      </a>
    </div>
  );
}
