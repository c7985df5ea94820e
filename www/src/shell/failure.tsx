/** How a failure is told: what it means for the person, then what the store said. */
import { isEverfoldError } from "everfold";
import { Component, type ReactNode } from "react";
import "./failure.css";

const MEANING: Readonly<Record<string, string>> = {
  "storage-unavailable":
    "This browser offers no storage here. A private window or a blocked site setting is the usual cause.",
  "quota-exceeded": "The device has no room left. Nothing was half-written; free some space and try again.",
  "storage-newer": "This ledger was written by a newer release of the page. Reload to get it.",
  "store-blocked": "Another tab holds an older release of this ledger open. Close it and try again.",
  "store-closed": "Another tab has erased this ledger, or has a newer release of the page. Reload to go on.",
  "storage-corrupt": "A stored record is damaged. Nothing was changed because of it.",
  "sync-unauthorized": "The server takes no token of this person. What was done here is kept until it does.",
  "sync-forbidden": "This person may not use this space. What was done here is kept.",
  "sync-diverged":
    "The server’s history is not the one that this device knows. Nothing was changed here; start over to join the new one.",
  "sync-protocol": "The server and this page do not understand each other. Reload to get the newest page.",
  "wasm-failed": "The engine stopped. What was acknowledged is on disk; reload the page to go on.",
};

export function Failure({ error }: { readonly error: unknown }) {
  const code = isEverfoldError(error) ? error.code : undefined;
  return (
    <div className="failure" role="alert">
      <p>{(code && MEANING[code]) ?? "Something went wrong. Nothing that was acknowledged is lost."}</p>
      <p className="small">
        {code && <code>{code}</code>} {error instanceof Error ? error.message : String(error)}
      </p>
    </div>
  );
}

interface Props {
  readonly fallback: (error: unknown) => ReactNode;
  readonly children: ReactNode;
}

/** Shows the fallback when a part below fails to render. React offers this to classes only. */
export class FailureBoundary extends Component<Props, { readonly failed: boolean; readonly error: unknown }> {
  override state = { failed: false, error: undefined as unknown };

  static getDerivedStateFromError(error: unknown) {
    return { failed: true, error };
  }

  override render(): ReactNode {
    return this.state.failed ? this.props.fallback(this.state.error) : this.props.children;
  }
}
