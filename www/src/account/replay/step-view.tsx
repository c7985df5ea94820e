/** One replayed event: what was written, the state after it, and what it changed, told apart by words as well as by colour. */
import type { JsonPatchOperation } from "everfold";
import { formatMoment } from "../../day.ts";
import { noteOf, titleOf } from "../event-text.ts";
import { namesOf, valueAt } from "./pointer.ts";
import type { Step } from "./replay-step.ts";

const DONE: Readonly<Record<JsonPatchOperation["op"], { readonly mark: string; readonly word: string }>> = {
  add: { mark: "+", word: "added" },
  remove: { mark: "−", word: "removed" },
  replace: { mark: "±", word: "replaced" },
};

export function StepView({ step: { event, before, after, patch } }: { readonly step: Step }) {
  const { type, data, eventId, version, position, recordedAt } = event;
  const note = noteOf(event);
  return (
    <div className="step">
      <section className="step-part" aria-label="Event">
        <h2>
          Event {version}: {titleOf(event)}
        </h2>
        <p className="small soft">
          {note && <>{note} · </>}
          {formatMoment(event.occurredAt)}
        </p>
        <pre className="step-json">
          <code>{JSON.stringify({ type, data }, null, 2)}</code>
        </pre>
        <p className="small soft step-id">
          Position {position} of the log, recorded {formatMoment(recordedAt)}, id <code>{eventId}</code>. Amounts are
          whole hellers.
        </p>
      </section>
      <section className="step-part" aria-label="State after it">
        <h2>State after it</h2>
        <ul className="step-state">
          {Object.entries(after).map(([name, value]) => {
            const op = patch.find(({ path }) => namesOf(path)[0] === name)?.op;
            return (
              <li key={name} className={op && `op-${op}`}>
                <span className="op-mark" aria-hidden="true">
                  {op && DONE[op].mark}
                </span>
                <code>
                  {name}: {JSON.stringify(value)}
                </code>
                {op && <span className="badge">{DONE[op].word}</span>}
              </li>
            );
          })}
        </ul>
      </section>
      <section className="step-part" aria-label="Patch">
        <h2>What it changed</h2>
        {patch.length === 0 ? (
          <p className="small soft">Nothing in the state.</p>
        ) : (
          <ul className="step-patch">
            {patch.map((operation) => (
              <li key={operation.path} className={`op-${operation.op}`}>
                <span className="op-mark" aria-hidden="true">
                  {DONE[operation.op].mark}
                </span>
                <span>
                  {DONE[operation.op].word} <code>{operation.path}</code>
                </span>
                {operation.op !== "add" && (
                  <del>
                    <span className="visually-hidden">was </span>
                    {JSON.stringify(valueAt(before, operation.path))}
                  </del>
                )}
                {operation.op !== "remove" && (
                  <ins>
                    <span className="visually-hidden">is </span>
                    {JSON.stringify(operation.value)}
                  </ins>
                )}
              </li>
            ))}
          </ul>
        )}
      </section>
    </div>
  );
}
