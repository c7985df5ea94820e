/**
 * Every account of the bank, to search, sort and open. Only the rows in sight are in the page, so that
 * tens of thousands scroll as easily as ten.
 */
import {
  columnFilteringFeature,
  createColumnHelper,
  createFilteredRowModel,
  createSortedRowModel,
  filterFn_includesString,
  globalFilteringFeature,
  rowSortingFeature,
  type SortingState,
  sortFn_alphanumeric,
  sortFn_basic,
  sortFn_text,
  tableFeatures,
  useTable,
} from "@tanstack/react-table";
import { type CSSProperties, type KeyboardEvent, memo, useMemo, useState } from "react";
import type { Balance } from "../balances.ts";
import { formatDay } from "../day.ts";
import { longestOf } from "../money.ts";
import { Amount } from "../shell/amount.tsx";
import { GapRow } from "../shell/gap-row.tsx";
import { hrefOf } from "../shell/route.ts";
import { useWindowRows } from "../shell/window-rows.ts";
import "./accounts-table.css";

const features = tableFeatures({
  columnFilteringFeature,
  globalFilteringFeature,
  rowSortingFeature,
  filteredRowModel: createFilteredRowModel(),
  sortedRowModel: createSortedRowModel(),
  filterFns: { includesString: filterFn_includesString },
  sortFns: { alphanumeric: sortFn_alphanumeric, basic: sortFn_basic, text: sortFn_text },
});

const helper = createColumnHelper<typeof features, Readonly<Balance>>();
const columns = helper.columns([
  helper.accessor("account", { header: "Account", sortFn: "alphanumeric" }),
  helper.accessor("owner", { header: "Owner", sortFn: "text" }),
  helper.accessor("lastActivity", { header: "Last activity", sortFn: "basic", enableGlobalFilter: false }),
  helper.accessor("events", { header: "Events", sortFn: "basic", enableGlobalFilter: false }),
  helper.accessor("balance", { header: "Balance, CZK", sortFn: "basic", enableGlobalFilter: false }),
]);

const CLASSES: Readonly<Record<string, string>> = {
  account: "column-account",
  owner: "column-owner wide",
  lastActivity: "column-activity numeric wide",
  events: "column-events numeric wide",
  balance: "column-balance numeric",
};

const ROW_HEIGHT = 53;
const count = new Intl.NumberFormat("en-GB");

interface AccountsTableProps {
  readonly rows: readonly Readonly<Balance>[];
  /** Tells whose balances these are, for those who do not see the page. */
  readonly caption: string;
}

export const AccountsTable = memo(function AccountsTable({ rows, caption }: AccountsTableProps) {
  const [search, setSearch] = useState("");
  const [sorting, setSorting] = useState<SortingState>([{ id: "account", desc: false }]);
  const table = useTable({
    features,
    columns,
    data: rows,
    getRowId: (row) => row.account,
    state: { sorting, globalFilter: search },
    onSortingChange: setSorting,
    globalFilterFn: "includesString",
    enableSortingRemoval: false,
    enableMultiSort: false,
  });
  const found = table.getRowModel().rows;
  const named = useMemo(() => rows.some(({ owner }) => owner !== ""), [rows]);
  const room = useMemo(() => ({ "--balance-length": longestOf(rows.map(({ balance }) => balance)) }), [rows]);
  const { body, indexes, before, after, measure, scrollTo } = useWindowRows(found.length, ROW_HEIGHT);

  return (
    <section className="accounts" aria-label="Accounts">
      <Search search={search} onSearch={setSearch} found={found.length} total={rows.length} />
      <table
        className={named ? "long-table" : "long-table unnamed"}
        style={room as CSSProperties}
        aria-rowcount={found.length + 1}
      >
        <caption className="visually-hidden">{caption}</caption>
        <thead>
          <tr aria-rowindex={1}>
            {table.getFlatHeaders().map((header) => {
              const sorted = header.column.getIsSorted();
              return (
                <th
                  key={header.id}
                  scope="col"
                  aria-sort={sorted ? (sorted === "desc" ? "descending" : "ascending") : "none"}
                  className={CLASSES[header.id]}
                >
                  <button type="button" onClick={header.column.getToggleSortingHandler()}>
                    <table.FlexRender header={header} />
                    <span aria-hidden="true" className="sort-mark">
                      {sorted === "desc" ? "↓" : sorted === "asc" ? "↑" : ""}
                    </span>
                  </button>
                </th>
              );
            })}
          </tr>
        </thead>
        <tbody ref={body} onKeyDown={(event) => moveBetweenRows(event, scrollTo, found.length)}>
          <GapRow height={before} />
          {indexes.map((index) => {
            const row = found[index]?.original;
            if (!row) return null;
            return (
              <tr key={row.account} aria-rowindex={index + 2} data-index={index} ref={measure}>
                <AccountCells row={row} />
              </tr>
            );
          })}
          <GapRow height={after} />
        </tbody>
      </table>
      {found.length === 0 && (
        <p className="soft">{search === "" ? "There were no accounts yet." : `No account matches “${search}”.`}</p>
      )}
    </section>
  );
});

interface SearchProps {
  readonly search: string;
  readonly onSearch: (search: string) => void;
  readonly found: number;
  readonly total: number;
}

function Search({ search, onSearch, found, total }: SearchProps) {
  return (
    <div className="accounts-search">
      <label className="visually-hidden" htmlFor="search">
        Search accounts by number or owner
      </label>
      <input
        id="search"
        type="search"
        placeholder="Search by number or owner"
        value={search}
        onChange={(event) => onSearch(event.target.value)}
      />
      <p role="status" className="soft small numeral">
        {search !== "" && `${count.format(found)} of `}
        {count.format(total)} {total === 1 ? "account" : "accounts"}
      </p>
    </div>
  );
}

function AccountCells({ row }: { readonly row: Readonly<Balance> }) {
  return (
    <>
      <td className={CLASSES["account"]}>
        <a href={hrefOf({ page: "account", id: row.account })} className="numeral">
          {row.account}
        </a>{" "}
        {row.frozen && <span className="badge">Frozen</span>}
        {row.owner !== "" && <span className="narrow small soft">{row.owner}</span>}
      </td>
      <td className={CLASSES["owner"]}>{row.owner}</td>
      <td className={`${CLASSES["lastActivity"]} numeral soft`}>{formatDay(row.lastActivity)}</td>
      <td className={`${CLASSES["events"]} numeral soft`}>{count.format(row.events)}</td>
      <td className={CLASSES["balance"]}>
        <Amount value={row.balance} bare />
      </td>
    </>
  );
}

/** Up and down step through the rows, Home and End jump; rows out of sight are brought in first. */
function moveBetweenRows(event: KeyboardEvent<HTMLElement>, scrollTo: (index: number) => void, length: number): void {
  const body = event.currentTarget;
  const row = event.target instanceof Element ? event.target.closest<HTMLElement>("[data-index]") : null;
  const step = { ArrowDown: 1, ArrowUp: -1, Home: -length, End: length }[event.key];
  if (!row || step === undefined) return;
  event.preventDefault();
  const index = Math.min(Math.max(Number(row.dataset["index"]) + step, 0), length - 1);
  scrollTo(index);
  // The row may not be in the page before the scroll has been answered.
  requestAnimationFrame(() => requestAnimationFrame(() => linkOfRow(body, index)?.focus({ preventScroll: true })));
}

function linkOfRow(body: HTMLElement, index: number): HTMLElement | null {
  return body.querySelector<HTMLElement>(`[data-index="${index}"] a`);
}
