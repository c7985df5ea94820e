/**
 * The logs side by side, the server's in the middle: commits of equal number stand in one row, and below
 * each log is the hash that stands for all of it. Equal hashes are equal logs.
 */
import type { ReactNode } from "react";
import { agreementText, type Verdict, verdictOf, verdictText } from "./agreement.ts";
import { markOf, textOf } from "./commit-text.ts";
import { type Device, personOf } from "./device.ts";
import { isOneCommit, ladderOf } from "./ladder.ts";
import { type LoggedCommit, type ShownLog, shortHash } from "./log.ts";
import "./log-ladder.css";

const RUNGS = 8;
const TAILS = 4;

interface LogLadderProps {
  readonly devices: readonly Device[];
  /** One a device, null while it has not been read. */
  readonly logs: readonly (ShownLog | null)[];
  readonly server: ShownLog | null;
}

interface Column {
  readonly name: string;
  readonly log: ShownLog | null;
  readonly isServer: boolean;
}

export function LogLadder({ devices, logs, server }: LogLadderProps) {
  const columns = columnsOf(devices, logs, server);
  const { rungs, tails, more } = ladderOf(
    columns.map(({ log }) => log),
    { rungs: RUNGS, tails: TAILS },
  );
  const pending = logs.reduce((sum, log) => sum + (log?.pending.length ?? 0), 0);
  const verdicts = logs.map((log) => verdictOf(log, server));
  return (
    <section className="ladder" aria-label="The logs" data-logs={columns.length}>
      <table>
        <caption className="visually-hidden">
          The last commits of every log, by number, what is pending on each device, and the hash of each log
        </caption>
        <thead>
          <tr>
            <td />
            {columns.map(({ name, isServer }) => (
              <th key={name} scope="col" className={isServer ? "ladder-server" : undefined}>
                {name}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {rungs.map((rung) => (
            <tr key={rung.number} className={isOneCommit(rung) ? undefined : "rung-differs"}>
              <th scope="row" className="numeral">
                {rung.number}
              </th>
              {rung.cells.map((commit, index) => (
                <Cell key={columns[index]?.name} isServer={columns[index]?.isServer ?? false}>
                  {commit ? <CommitPill commit={commit} /> : <Missing />}
                </Cell>
              ))}
            </tr>
          ))}
        </tbody>
        {tails.length > 0 && (
          <tbody className="ladder-tails">
            {tails.map((tail, place) => (
              // biome-ignore lint/suspicious/noArrayIndexKey: a row is a place in the tails, whatever stands in it
              <tr key={place}>
                <th scope="row">{place === 0 && <span className="visually-hidden">Pending</span>}</th>
                {tail.map((commit, index) => (
                  <Cell key={columns[index]?.name} isServer={columns[index]?.isServer ?? false}>
                    {commit && <CommitPill commit={commit} />}
                    {place === TAILS - 1 && (more[index] ?? 0) > 0 && (
                      <span className="small soft">and {more[index]} more</span>
                    )}
                  </Cell>
                ))}
              </tr>
            ))}
          </tbody>
        )}
        <tfoot>
          <tr>
            <th scope="row">
              <span className="visually-hidden">Hash</span>
              <span aria-hidden="true">#</span>
            </th>
            {columns.map(({ name, log, isServer }) => (
              <td key={name} className={isServer ? "ladder-server" : undefined}>
                <ChainEnd log={log} verdict={isServer ? undefined : verdictOf(log, server)} />
              </td>
            ))}
          </tr>
        </tfoot>
      </table>
      <p role="status" className="ladder-words small">
        {agreementText(verdicts, pending)}
      </p>
    </section>
  );
}

/** The server stands in the middle: between two devices it is what both are compared with. */
function columnsOf(
  devices: readonly Device[],
  logs: readonly (ShownLog | null)[],
  server: ShownLog | null,
): readonly Column[] {
  const columns: Column[] = devices.map(({ short }, index) => ({
    name: short,
    log: logs[index] ?? null,
    isServer: false,
  }));
  columns.splice(Math.ceil(columns.length / 2), 0, { name: "Server", log: server, isServer: true });
  return columns;
}

function Cell({ isServer, children }: { readonly isServer: boolean; readonly children: ReactNode }) {
  return <td className={isServer ? "ladder-server" : undefined}>{children}</td>;
}

function CommitPill({ commit: { events, actor, status } }: { readonly commit: LoggedCommit }) {
  const by = actor ? ` by ${personOf(actor)}` : "";
  const text = `${textOf(events)}${by}${status === "pending" ? ", pending" : ""}`;
  return (
    <span className={`pill pill-${status} numeral arrives`} title={text}>
      <span aria-hidden="true">{markOf(events)}</span>
      <span className="visually-hidden">{text}</span>
    </span>
  );
}

function Missing() {
  return (
    <span className="pill pill-missing">
      <span aria-hidden="true">{"\u00a0"}</span>
      <span className="visually-hidden">not there yet</span>
    </span>
  );
}

/** The server's own end has no verdict: it is what the others are measured by. */
function ChainEnd({ log, verdict }: { readonly log: ShownLog | null; readonly verdict: Verdict | undefined }) {
  return (
    <span className={`chain-end chain-${verdict?.kind ?? "server"}`}>
      <code title={log?.hash ?? undefined}>{shortHash(log?.hash ?? null)}</code>
      <span className="chain-words">{verdict ? verdictText(verdict) : log ? `${log.commits} commits` : "away"}</span>
    </span>
  );
}
