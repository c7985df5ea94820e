/** Kills a worker in mid-commit, reloads the page, and tells what was acknowledged and what was found. */
import { useEffect, useRef, useState } from "react";
import { Failure } from "../shell/failure.tsx";
import { useLedger } from "../shell/ledger-context.ts";
import { examine, type Findings, forgetRecord, keepRecord, keptRecord } from "./crash-record.ts";
import type { CrashNotice, CrashOrder } from "./crash-worker.ts";
import { useRichest } from "./richest.ts";

const count = new Intl.NumberFormat("en-GB");
/** Long enough for hundreds of commits, short enough to wait for. */
const RUNNING_MS = 1_500;

export function Crash() {
  const ledger = useLedger();
  const richest = useRichest();
  const [findings, setFindings] = useState<Findings | null>(null);
  const [acknowledged, setAcknowledged] = useState<number | null>(null);
  const [error, setError] = useState<unknown>();
  const stop = useRef(() => {});
  useEffect(() => () => stop.current(), []);

  useEffect(() => {
    const record = keptRecord();
    if (record) examine(ledger, record).then(setFindings, setError);
  }, [ledger]);

  if (!richest) return null;
  const [from, to] = richest;
  if (!from || !to) return <p className="soft">This needs two accounts with money in them.</p>;

  const run = (): void => {
    forgetRecord();
    setFindings(null);
    setError(undefined);
    setAcknowledged(0);
    stop.current = crash({ run: crypto.randomUUID(), from: from.account, to: to.account }, setAcknowledged, setError);
  };

  return (
    <div className="tour-action">
      <div>
        <button type="button" className="primary" onClick={run} disabled={acknowledged !== null && error === undefined}>
          Kill it in mid-commit
        </button>
      </div>
      {acknowledged !== null && error === undefined && (
        <p className="numeral">{count.format(acknowledged)} transfers acknowledged so far…</p>
      )}
      {findings && <Report findings={findings} />}
      {error !== undefined && <Failure error={error} />}
    </div>
  );
}

function Report({ findings: { acknowledged, found, foundUnacknowledged, halves } }: { readonly findings: Findings }) {
  const lost = acknowledged - found;
  return (
    <div role="status">
      <dl className="crash-report">
        <Finding term="Acknowledged before the kill" value={acknowledged} />
        <Finding term="Found after the reload" value={found} />
        <Finding term="Lost" value={lost} mustBeNone />
        <Finding term="Under way at the kill and found whole" value={foundUnacknowledged} />
        <Finding term="Half a transfer" value={halves} mustBeNone />
      </dl>
    </div>
  );
}

interface FindingProps {
  readonly term: string;
  readonly value: number;
  readonly mustBeNone?: boolean;
}

function Finding({ term, value, mustBeNone = false }: FindingProps) {
  return (
    <div>
      <dt>{term}</dt>
      <dd className={mustBeNone && value > 0 ? "numeral owed" : "numeral"}>{count.format(value)}</dd>
    </div>
  );
}

/** Runs the worker, kills it while a commit is under way, keeps the record and reloads. Returns what ends it before. */
function crash(
  order: CrashOrder,
  onAcknowledged: (count: number) => void,
  onError: (error: unknown) => void,
): () => void {
  const begun: string[] = [];
  const acknowledged: string[] = [];
  let killAt = Number.POSITIVE_INFINITY;
  const worker = new Worker(new URL("./crash-worker.ts", import.meta.url), { type: "module" });
  worker.addEventListener("error", (event) => {
    worker.terminate();
    onError(event.error ?? new Error(event.message || "the worker did not start"));
  });
  worker.addEventListener("message", ({ data: { kind, commitId } }: MessageEvent<CrashNotice>) => {
    if (kind === "acknowledged") {
      acknowledged.push(commitId);
      onAcknowledged(acknowledged.length);
      return;
    }
    begun.push(commitId);
    if (begun.length === 1) killAt = performance.now() + RUNNING_MS;
    if (performance.now() < killAt) return;
    worker.terminate();
    keepRecord({ ...order, begun, acknowledged });
    location.reload();
  });
  worker.postMessage(order);
  return () => worker.terminate();
}
