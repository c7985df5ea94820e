/** Tells of a sample bank that failed, and offers to finish one that was interrupted. */
import { useEffect, useState } from "react";
import { Failure } from "../shell/failure.tsx";
import { useLedger } from "../shell/ledger-context.ts";
import { fillWithSample, type Sample, unfinishedSample, useSampleRun } from "./sample-run.ts";
import "./sample-notice.css";

export function SampleNotice() {
  const ledger = useLedger();
  const run = useSampleRun();
  const [unfinished, setUnfinished] = useState<Sample>();
  useEffect(() => {
    // Nothing to offer is the right answer to a failure too: the page tells of it elsewhere.
    unfinishedSample(ledger).then(setUnfinished, () => setUnfinished(undefined));
  }, [ledger]);
  return (
    <>
      {run.status === "failed" && <Failure error={run.error} />}
      {unfinished && (
        <p className="sample-notice">
          The sample bank was interrupted. What was written is here.
          <button type="button" className="quiet" onClick={() => void fillWithSample(ledger, unfinished)}>
            Write the rest
          </button>
        </p>
      )}
    </>
  );
}
