/** Saves the whole log as one file. */
import { useState } from "react";
import { Failure } from "../shell/failure.tsx";
import { useLedger } from "../shell/ledger-context.ts";
import { formatBytes } from "./bytes.ts";

export function SaveCopy() {
  const ledger = useLedger();
  const [saved, setSaved] = useState<number | "saving" | null>(null);
  const [error, setError] = useState<unknown>();
  const save = async (): Promise<void> => {
    if (saved === "saving") return;
    setSaved("saving");
    setError(undefined);
    try {
      const file = await ledger.export();
      const link = document.createElement("a");
      link.href = URL.createObjectURL(file);
      link.download = "ledger.everfold";
      link.click();
      URL.revokeObjectURL(link.href);
      setSaved(file.size);
    } catch (failure) {
      setSaved(null);
      setError(failure);
    }
  };
  return (
    <div className="storage-item">
      <div>
        <h3>A copy of the log</h3>
        <p className="small soft" role="status">
          {newsOf(saved)}
        </p>
      </div>
      <button type="button" aria-disabled={saved === "saving"} onClick={() => void save()}>
        Save a copy
      </button>
      {error !== undefined && <Failure error={error} />}
    </div>
  );
}

function newsOf(saved: number | "saving" | null): string {
  if (saved === null) return "One file with every event, checked when it is read again.";
  return saved === "saving" ? "Gathering the events…" : `Saved, ${formatBytes(saved)}.`;
}
