/** What a merge refused or changed: what was asked, why, the state that was seen, and what to do about it. */
import type { Refusal as RefusedCommit } from "everfold";
import { useMemo, useState, useSyncExternalStore } from "react";
import { complaintOf } from "../shell/complaint.ts";
import { Failure } from "../shell/failure.tsx";
import type { DeviceStore } from "./device-store.ts";
import { askedText, REFUSAL_TITLES, reasonText, seenTexts } from "./refusal-text.ts";
import "./refusal-tray.css";

export function RefusalTray({ store }: { readonly store: DeviceStore }) {
  const [subscribe, current] = useMemo(() => {
    const live = store.refusals.watch();
    return [(changed: () => void) => live.subscribe(changed), () => live.current] as const;
  }, [store]);
  const { value: refusals = [], error } = useSyncExternalStore(subscribe, current);
  return (
    <div className="refusal-tray" role="log" aria-label="Refused and changed">
      {error && <Failure error={error} />}
      {refusals.map((refusal) => (
        <RefusalCard key={refusal.commitId} refusal={refusal} />
      ))}
    </div>
  );
}

function RefusalCard({ refusal }: { readonly refusal: RefusedCommit }) {
  const [complaint, setComplaint] = useState<string | null>(null);
  const [error, setError] = useState<unknown>();
  const { kind } = refusal;
  const act = async (work: () => Promise<unknown>): Promise<void> => {
    setComplaint(null);
    setError(undefined);
    try {
      await work();
    } catch (failure) {
      const refused = complaintOf(failure);
      setComplaint(refused ? `Still refused: ${refused.message}` : null);
      if (!refused) setError(failure);
    }
  };
  return (
    <article
      className={`refusal refusal-${kind} arrives`}
      aria-label={`${REFUSAL_TITLES[kind]}: ${askedText(refusal)}`}
    >
      <h3>{REFUSAL_TITLES[kind]}</h3>
      <p className="refusal-asked">{askedText(refusal)}</p>
      <p>{reasonText(refusal)}</p>
      {seenTexts(refusal).map((seen) => (
        <p key={seen} className="small soft">
          {seen} when it was decided again.
        </p>
      ))}
      <div className="refusal-buttons">
        {kind !== "changed" && (
          <button type="button" onClick={() => void act(() => refusal.retry())}>
            Retry
          </button>
        )}
        <button type="button" onClick={() => void act(() => refusal.dismiss())}>
          Dismiss
        </button>
      </div>
      {complaint !== null && (
        <p className="complaint" role="alert">
          {complaint}
        </p>
      )}
      {error !== undefined && <Failure error={error} />}
    </article>
  );
}
