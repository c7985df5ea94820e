/** Offers to finish a sample bank that was interrupted. */
import { useEffect, useState } from "react";
import { useLedger } from "../shell/ledger-context.ts";
import { fillWithSample, isSampleUnfinished } from "./sample-run.ts";
import "./sample-notice.css";

export function SampleNotice() {
  const ledger = useLedger();
  const [unfinished, setUnfinished] = useState(false);
  useEffect(() => {
    // Nothing to offer is the right answer to a failure too: the page tells of it elsewhere.
    isSampleUnfinished(ledger).then(setUnfinished, () => setUnfinished(false));
  }, [ledger]);
  if (!unfinished) return null;
  return (
    <p className="sample-notice">
      The sample bank was interrupted. What was written is here.
      <button type="button" className="quiet" onClick={() => void fillWithSample(ledger)}>
        Write the rest
      </button>
    </p>
  );
}
