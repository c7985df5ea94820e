/** What the ledger keeps on this device, and what can be done with it as a whole. */
import type { StoreStats } from "everfold";
import { useEffect, useMemo, useState } from "react";
import { Failure } from "../shell/failure.tsx";
import { useLedger } from "../shell/ledger-context.ts";
import { Page } from "../shell/shell.tsx";
import type { Ledger } from "../store.ts";
import { formatBytes } from "./bytes.ts";
import { Erase } from "./erase.tsx";
import { Persistence } from "./persistence.tsx";
import { Rebuild } from "./rebuild.tsx";
import { SaveCopy } from "./save-copy.tsx";
import "./storage-page.css";

/** How long the standing of a projection that is behind may be out of date. */
const ASK_AGAIN_MS = 500;
const count = new Intl.NumberFormat("en-GB");

export function StoragePage() {
  const { stats, error, refresh } = useStats();
  return (
    <Page
      title="Storage"
      lead={
        <p className="soft">
          The log of events is the truth. Everything else here is made from it and can be made again.
        </p>
      }
    >
      {error !== undefined && <Failure error={error} />}
      {!stats && error === undefined && (
        <p role="status" className="soft">
          Counting…
        </p>
      )}
      {stats && <Figures stats={stats} />}
      {stats && (
        <section className="panel storage-part">
          <h2>Projections</h2>
          <p className="soft small">
            Rows folded from the events. A rebuild makes them anew beside the live ones and then switches at once;
            nothing stops meanwhile.
          </p>
          {stats.projections.map((projection) => (
            <Rebuild key={projection.name} projection={projection} onDone={refresh} />
          ))}
        </section>
      )}
      {stats && (
        <section className="panel storage-part">
          <h2>Keeping it</h2>
          <Persistence persisted={stats.persisted} onChange={refresh} />
          <SaveCopy />
          <Erase />
        </section>
      )}
    </Page>
  );
}

function Figures({ stats }: { readonly stats: StoreStats }) {
  const perEvent = stats.events > 0 ? stats.bytes / stats.events : 0;
  return (
    <section className="panel" aria-label="Figures">
      <dl className="storage-figures">
        <Figure term="Events" value={count.format(stats.events)} />
        <Figure term="Streams" value={count.format(stats.streams)} />
        <Figure term="Log on disk" value={formatBytes(stats.bytes)} />
        <Figure term="Bytes an event" value={count.format(Math.round(perEvent))} />
        <Figure term="Sealed segments" value={count.format(stats.segments)} />
        <Figure term="Snapshots" value={count.format(stats.snapshots)} />
        {stats.quota && <Figure term="Used by this site" value={formatBytes(stats.quota.usage)} />}
        {stats.quota && <Figure term="Allowed by the browser" value={formatBytes(stats.quota.quota)} />}
      </dl>
    </section>
  );
}

function Figure({ term, value }: { readonly term: string; readonly value: string }) {
  return (
    <div>
      <dt className="small soft">{term}</dt>
      <dd className="numeral">{value}</dd>
    </div>
  );
}

function useStats() {
  const ledger = useLedger();
  const [state, setState] = useState<{ readonly stats?: StoreStats; readonly error?: unknown }>({});
  const refresh = useMemo(() => statsReader(ledger, setState), [ledger]);
  useEffect(() => {
    refresh();
    return ledger.subscribe({}, refresh);
  }, [ledger, refresh]);
  // Nobody tells when a projection catches up.
  const behind = state.stats?.projections.some(({ lag }) => lag > 0) ?? false;
  useEffect(() => {
    if (!behind) return;
    const timer = setInterval(refresh, ASK_AGAIN_MS);
    return () => clearInterval(timer);
  }, [behind, refresh]);
  return { ...state, refresh };
}

/** What reads the figures: one question is under way at a time, and the last one sees the last change. */
function statsReader(
  ledger: Ledger,
  show: (state: { readonly stats?: StoreStats; readonly error?: unknown }) => void,
): () => void {
  let [reading, again] = [false, false];
  const read = async (): Promise<void> => {
    again = true;
    if (reading) return;
    reading = true;
    while (again) {
      again = false;
      await ledger.stats().then(
        (stats) => show({ stats }),
        (error: unknown) => show({ error }),
      );
    }
    reading = false;
  };
  return () => void read();
}
