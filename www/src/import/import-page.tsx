/** Brings a bank's transactions file into the ledger: choose, look, import, read what became of it. */
import { type ReactNode, useEffect, useRef } from "react";
import { formatDay, startOf } from "../day.ts";
import { Failure } from "../shell/failure.tsx";
import { useLedger } from "../shell/ledger-context.ts";
import { Progress } from "../shell/progress.tsx";
import { hrefOf } from "../shell/route.ts";
import { Page } from "../shell/shell.tsx";
import { FileChoice } from "./file-choice.tsx";
import { cancel, choose, type ImportJob, reset, start, useImportJob } from "./import-job.ts";
import type { ImportProgress } from "./import-statement.ts";
import { PreviewPanel } from "./preview-panel.tsx";
import { ProblemList } from "./problem-list.tsx";
import { BrokenLine } from "./transaction.ts";
import "./import-page.css";

const count = new Intl.NumberFormat("en-GB");

export function ImportPage() {
  const job = useImportJob();
  const stage = useFocusKeptIn(job.status);
  useEffect(keepPage, []);
  return (
    <Page
      title="Import transactions"
      lead={
        <p className="soft import-lead">
          Each row becomes an event under its own date. Rows that the ledger knows already are left as they are, so a
          file can be imported again at any time.
        </p>
      }
    >
      <p role="status" className="visually-hidden">
        {newsOf(job)}
      </p>
      <div ref={stage} tabIndex={-1} className="import">
        <Stage job={job} />
      </div>
    </Page>
  );
}

/** What a screen reader is told when the stage changes. */
function newsOf(job: ImportJob): string {
  switch (job.status) {
    case "reading":
      return `Reading ${job.name}`;
    case "preview": {
      const broken = job.preview.broken === 0 ? "" : `, ${count.format(job.preview.broken)} lines not understood`;
      return `${job.preview.name}: ${rowsText(job.preview.rows)} to import${broken}`;
    }
    case "done":
    case "cancelled":
    case "failed":
      return `${TITLES[job.status]}: ${rowsText(job.progress.rows - job.progress.known)} written`;
    default:
      return "";
  }
}

/** The button that was pressed goes away with its stage: the focus then goes to what took its place. */
function useFocusKeptIn(stage: string) {
  const place = useRef<HTMLDivElement>(null);
  const shown = useRef(stage);
  useEffect(() => {
    if (shown.current !== stage && document.activeElement === document.body) place.current?.focus();
    shown.current = stage;
  }, [stage]);
  return place;
}

/** A file dropped beside the place for it would be opened by the browser in place of the page, import and all. */
function keepPage(): () => void {
  const refuse = (event: DragEvent): void => {
    if (event.defaultPrevented) return;
    event.preventDefault();
    if (event.dataTransfer) event.dataTransfer.dropEffect = "none";
  };
  addEventListener("dragover", refuse);
  addEventListener("drop", refuse);
  return () => {
    removeEventListener("dragover", refuse);
    removeEventListener("drop", refuse);
  };
}

function Stage({ job }: { readonly job: ImportJob }): ReactNode {
  const ledger = useLedger();
  switch (job.status) {
    case "idle":
      return <FileChoice onChoose={(file) => void choose(file)} />;
    case "reading":
      return <p>Reading {job.name}…</p>;
    case "unreadable":
      return (
        <>
          <Unreadable name={job.name} error={job.error} />
          <FileChoice onChoose={(file) => void choose(file)} />
        </>
      );
    case "preview":
      return (
        <>
          <PreviewPanel preview={job.preview} />
          <div className="import-buttons">
            <button
              type="button"
              className="primary"
              disabled={job.preview.rows === 0}
              onClick={() => void start(ledger, job.file, job.preview)}
            >
              Import {rowsText(job.preview.rows)}
            </button>
            <button type="button" onClick={reset}>
              Choose another file
            </button>
          </div>
          <ProblemList total={job.preview.broken} problems={job.preview.problems} />
        </>
      );
    case "running":
      return (
        <div className="panel import-running">
          <h2>Importing {job.preview.name}</h2>
          <Progress label="Importing" done={job.progress.rows} total={job.preview.rows} unit="rows" pace={job.pace} />
          {job.progress.known > 0 && <p className="small soft numeral">{rowsText(job.progress.known)} known already</p>}
          <div>
            <button type="button" onClick={cancel}>
              Cancel
            </button>
          </div>
        </div>
      );
    case "done":
    case "cancelled":
    case "failed":
      return (
        <>
          {job.status === "failed" && <Failure error={job.error} />}
          <Summary title={TITLES[job.status]} name={job.preview.name} progress={job.progress} />
          {job.status === "done" && job.preview.rows > 0 && (
            <p className="soft small">
              From {formatDay(startOf(job.preview.firstDay))} to {formatDay(startOf(job.preview.lastDay))}, in{" "}
              {Math.max(job.seconds, 0.1).toFixed(1)} s.
            </p>
          )}
          {job.status === "cancelled" && (
            <p className="soft">What was written stays. Import the same file again to go on from here.</p>
          )}
          <div className="import-buttons">
            <a className="button primary" href={hrefOf({ page: "bank" })}>
              See the bank
            </a>
            <button type="button" onClick={reset}>
              Import another file
            </button>
          </div>
          <ProblemList total={job.progress.broken} problems={job.progress.problems} />
        </>
      );
  }
}

const TITLES = { done: "Imported", cancelled: "Cancelled", failed: "The import stopped" } as const;

interface SummaryProps {
  readonly title: string;
  readonly name: string;
  readonly progress: ImportProgress;
}

function Summary({ title, name, progress: { rows, known, accountsOpened, broken } }: SummaryProps) {
  return (
    <section className="panel summary" aria-label="What became of the import">
      <h2>
        {title}: {name}
      </h2>
      <dl>
        <Fact term="Rows written" value={rows - known} />
        <Fact term="Rows known already" value={known} />
        <Fact term="Accounts opened" value={accountsOpened} />
        <Fact term="Lines not understood" value={broken} />
      </dl>
    </section>
  );
}

function Fact({ term, value }: { readonly term: string; readonly value: number }) {
  return (
    <div>
      <dt className="small soft">{term}</dt>
      <dd className="numeral">{count.format(value)}</dd>
    </div>
  );
}

function Unreadable({ name, error }: { readonly name: string; readonly error: unknown }) {
  if (!(error instanceof BrokenLine)) return <Failure error={error} />;
  return (
    <p className="complaint" role="alert">
      {name}: {error.message}
    </p>
  );
}

function rowsText(rows: number): string {
  return rows === 1 ? "1 row" : `${count.format(rows)} rows`;
}
