/** Asks the browser never to clear this ledger by itself. */
import { useState } from "react";
import { Failure } from "../shell/failure.tsx";
import { useLedger } from "../shell/ledger-context.ts";

export function Persistence({ persisted, onChange }: { readonly persisted: boolean; readonly onChange: () => void }) {
  const ledger = useLedger();
  const [refused, setRefused] = useState(false);
  const [error, setError] = useState<unknown>();
  const ask = async (): Promise<void> => {
    setError(undefined);
    try {
      setRefused(!(await ledger.persist()));
      onChange();
    } catch (failure) {
      setError(failure);
    }
  };
  return (
    <div className="storage-item">
      <div>
        <h3>Protection from clearing</h3>
        <p className="small soft" role="status">
          {persisted
            ? "The browser keeps this ledger until you erase it."
            : refused
              ? "The browser said no for now. It may agree once the page is installed or used more."
              : "When the device runs out of room, the browser may clear sites that did not ask to be kept."}
        </p>
      </div>
      <button type="button" aria-disabled={persisted} onClick={() => persisted || void ask()}>
        {persisted ? "Kept" : "Ask to be kept"}
      </button>
      {error !== undefined && <Failure error={error} />}
    </div>
  );
}
