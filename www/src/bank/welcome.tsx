/** What an empty ledger shows: what this is, and one thing to do. */

import { Failure } from "../shell/failure.tsx";
import { useLedger } from "../shell/ledger-context.ts";
import { Progress } from "../shell/progress.tsx";
import { hrefOf } from "../shell/route.ts";
import { Page } from "../shell/shell.tsx";
import { cancelSample, fillWithSample, SAMPLES, useSampleRun } from "./sample-run.ts";
import "./welcome.css";

export function Welcome() {
  const ledger = useLedger();
  const run = useSampleRun();
  return (
    <div className="welcome">
      <Page
        title="A bank that lives in this browser"
        lead={
          <p className="welcome-lead soft">
            Every movement of money is an event, written once and kept in order. Balances, charts and any day of the
            past are folded from them, on this device, with or without a network.
          </p>
        }
      >
        {run.status === "failed" && <Failure error={run.error} />}
        {run.status === "running" ? (
          <div className="welcome-run">
            <Progress
              label={run.sample.title}
              done={run.events}
              total={run.sample.events}
              unit="events"
              pace={run.pace}
            />
            <div>
              <button type="button" onClick={cancelSample}>
                Cancel
              </button>
            </div>
          </div>
        ) : (
          <div>
            <div className="welcome-starts">
              <button
                type="button"
                className="primary welcome-start"
                onClick={() => void fillWithSample(ledger, SAMPLES.bank)}
              >
                Try with a sample bank
              </button>
              <button
                type="button"
                className="welcome-start"
                onClick={() => void fillWithSample(ledger, SAMPLES.million)}
              >
                Try with a million events
              </button>
            </div>
            <p className="small soft welcome-other">
              Two years of 600 accounts, 50,000 events, or that 21 times over; all made here, nothing is downloaded. Or{" "}
              <a href={hrefOf({ page: "import" })}>import a transactions file</a>.
            </p>
          </div>
        )}
      </Page>
    </div>
  );
}
