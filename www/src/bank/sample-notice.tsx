/** Offers to finish a sample bank that was interrupted. */
import { useEffect, useState } from "react";
import { useLedger } from "../shell/ledger-context.ts";
import { fillWithSample, type Sample, unfinishedSample } from "./sample-run.ts";
import "./sample-notice.css";

export function SampleNotice() {
  const ledger = useLedger();
  const [unfinished, setUnfinished] = useState<Sample>();
  useEffect(() => {
    // Nothing to offer is the right answer to a failure too: the page tells of it elsewhere.
    unfinishedSample(ledger).then(setUnfinished, () => setUnfinished(undefined));
  }, [ledger]);
  if (!unfinished) return null;
  return (
    <p className="sample-notice">
      The sample bank was interrupted. What was written is here.
      <button type="button" className="quiet" onClick={() => void fillWithSample(ledger, unfinished)}>
        Write the rest
      </button>
    </p>
  );
}
