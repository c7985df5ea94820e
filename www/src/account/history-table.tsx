/** The events of an account, newest first; a click on a number shows the account as it was after that event. */
import { type CSSProperties, useMemo } from "react";
import { formatMoment } from "../day.ts";
import { longestOf } from "../money.ts";
import { Amount } from "../shell/amount.tsx";
import { GapRow } from "../shell/gap-row.tsx";
import { useWindowRows } from "../shell/window-rows.ts";
import { noteOf, titleOf } from "./event-text.ts";
import type { Moment } from "./history.ts";
import "./history-table.css";

const ROW_HEIGHT = 57;

interface HistoryTableProps {
  readonly moments: readonly Moment[];
  readonly shownVersion: number;
  readonly onLook: (version: number) => void;
}

export function HistoryTable({ moments, shownVersion, onLook }: HistoryTableProps) {
  const { body, indexes, before, after, measure } = useWindowRows(moments.length, ROW_HEIGHT);
  const room = useMemo(() => roomFor(moments), [moments]);
  return (
    <table className="long-table history" style={room} aria-rowcount={moments.length + 1}>
      <caption className="visually-hidden">Events, newest first</caption>
      <thead>
        <tr aria-rowindex={1}>
          <th scope="col" className="history-number numeric">
            Event
          </th>
          <th scope="col" className="history-what">
            What happened
          </th>
          <th scope="col" className="history-when numeric wide">
            When
          </th>
          <th scope="col" className="history-amount numeric">
            Amount
          </th>
          <th scope="col" className="history-after numeric wide">
            Balance after
          </th>
        </tr>
      </thead>
      <tbody ref={body}>
        <GapRow height={before} />
        {indexes.map((index) => {
          const version = moments.length - index;
          const moment = moments[version - 1];
          if (!moment) return null;
          return (
            <tr
              key={version}
              aria-rowindex={index + 2}
              data-index={index}
              ref={measure}
              className={version > shownVersion ? "later" : undefined}
            >
              <MomentCells moment={moment} version={version} onLook={onLook} />
            </tr>
          );
        })}
        <GapRow height={after} />
      </tbody>
    </table>
  );
}

/** How many characters the columns of figures must have room for. */
function roomFor(moments: readonly Moment[]): CSSProperties {
  const lengths = {
    "--number-length": String(moments.length).length,
    "--change-length": longestOf(moments.map(({ change }) => change)),
    "--balance-length": longestOf(moments.map(({ balanceAfter }) => balanceAfter)),
  };
  return lengths as CSSProperties;
}

interface MomentCellsProps {
  readonly moment: Moment;
  readonly version: number;
  readonly onLook: (version: number) => void;
}

function MomentCells({ moment: { event, change, balanceAfter }, version, onLook }: MomentCellsProps) {
  const note = noteOf(event);
  const when = formatMoment(event.occurredAt);
  return (
    <>
      <td className="history-number numeric">
        <button
          type="button"
          className="quiet numeral"
          aria-label={`Show the account after event ${version}`}
          onClick={() => onLook(version)}
        >
          {version}
        </button>
      </td>
      <td className="history-what">
        {titleOf(event)}
        {note && <span className="small soft">{note}</span>}
        <span className="narrow small soft numeral">{when}</span>
      </td>
      <td className="history-when numeric numeral small soft wide">{when}</td>
      <td className="history-amount numeric">{change !== 0 && <Amount value={change} bare signed />}</td>
      <td className="history-after numeric soft wide">
        <Amount value={balanceAfter} bare />
      </td>
    </>
  );
}
