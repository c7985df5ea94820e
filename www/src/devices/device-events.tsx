/** What happened last on a device, newest first, with a mark on what the server has not confirmed. */
import { useState } from "react";
import { Amount } from "../shell/amount.tsx";
import { sumOf, titleOf } from "./commit-text.ts";
import { personOf } from "./device.ts";
import type { LoggedCommit, ShownLog } from "./log.ts";

const SHOWN = 5;

export function DeviceEvents({ log }: { readonly log: ShownLog | null }) {
  const commits = log ? [...log.confirmed, ...log.pending].slice(-SHOWN).reverse() : [];
  return (
    <div className="device-events">
      <h3>Last events</h3>
      {commits.length === 0 ? (
        <p className="small soft">Nothing has happened here yet.</p>
      ) : (
        <ol reversed>
          {commits.map((commit) => (
            <DeviceEvent key={commit.commitId} commit={commit} />
          ))}
        </ol>
      )}
    </div>
  );
}

function DeviceEvent({ commit: { events, actor, status } }: { readonly commit: LoggedCommit }) {
  const pending = status === "pending";
  const [wasPending, setWasPending] = useState(pending);
  if (pending && !wasPending) setWasPending(true);
  const sum = sumOf(events);
  return (
    <li className={pending ? "event-pending" : undefined}>
      <span>{titleOf(events)}</span>
      {sum !== undefined && <Amount value={sum} bare />}
      <span className="event-by small soft">{actor ? `by ${personOf(actor)}` : "here"}</span>
      {pending ? (
        <span className="mark mark-pending">Pending</span>
      ) : (
        wasPending && <span className="mark mark-confirmed">Confirmed</span>
      )}
    </li>
  );
}
