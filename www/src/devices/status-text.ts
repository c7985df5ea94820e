/** Where sync stands, in a line. */
import type { SyncStatus } from "everfold";

export interface StatusLine {
  /** Chooses the colour and the sign, which never say more than the words. */
  readonly tone: "good" | "busy" | "away" | "bad";
  readonly text: string;
}

export function statusLine(status: SyncStatus): StatusLine {
  const waiting = status.pending === 0 ? "" : `, ${status.pending} to send`;
  switch (status.state) {
    case "off":
      return { tone: "away", text: "Not synced" };
    case "offline":
      return { tone: "away", text: `Offline${waiting}` };
    case "connecting":
      return { tone: "busy", text: `Connecting${waiting}` };
    case "pushing":
      return { tone: "busy", text: `Sending ${status.pending}` };
    case "pulling":
      return { tone: "busy", text: "Fetching what is new" };
    case "blocked":
      return { tone: "bad", text: `Stopped${waiting}` };
    case "idle":
      return status.pending === 0
        ? { tone: "good", text: "Up to date" }
        : { tone: "busy", text: `Connected${waiting}` };
  }
}

const clock = new Intl.DateTimeFormat("en-GB", { timeStyle: "medium" });

/** When the server was heard last, by the clock of the person who reads it. */
export function contactText({ lastContact }: Pick<SyncStatus, "lastContact">): string {
  return lastContact === null ? "not heard from the server yet" : `last contact ${clock.format(lastContact)}`;
}
