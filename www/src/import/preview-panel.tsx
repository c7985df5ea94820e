/** What is in a file, before anything of it is written. */
import { formatDay, startOf } from "../day.ts";
import { Amount } from "../shell/amount.tsx";
import { Sideways } from "../shell/sideways.tsx";
import type { Preview } from "./statement.ts";
import type { Transaction } from "./transaction.ts";
import "./preview-panel.css";

const count = new Intl.NumberFormat("en-GB");

export function PreviewPanel({ preview }: { readonly preview: Preview }) {
  const { name, rows, accounts, firstDay, lastDay, credits, debits, sample } = preview;
  return (
    <section className="panel preview" aria-label="What is in the file">
      <h2>{name}</h2>
      {rows === 0 ? (
        <p>No row of this file can be imported.</p>
      ) : (
        <>
          <dl className="preview-facts">
            <div>
              <dt className="small soft">Transactions</dt>
              <dd className="numeral">{count.format(rows)}</dd>
            </div>
            <div>
              <dt className="small soft">Accounts</dt>
              <dd className="numeral">{count.format(accounts)}</dd>
            </div>
            <div>
              <dt className="small soft">From</dt>
              <dd className="numeral">{formatDay(startOf(firstDay))}</dd>
            </div>
            <div>
              <dt className="small soft">To</dt>
              <dd className="numeral">{formatDay(startOf(lastDay))}</dd>
            </div>
            <div>
              <dt className="small soft">Credits less debits</dt>
              <dd>
                <Amount value={credits - debits} />
              </dd>
            </div>
          </dl>
          <FirstRows sample={sample} />
        </>
      )}
    </section>
  );
}

function FirstRows({ sample }: { readonly sample: readonly Transaction[] }) {
  return (
    <Sideways label="First rows">
      <table className="preview-rows">
        <caption className="visually-hidden">The first rows as they were understood</caption>
        <thead>
          <tr>
            <th scope="col">Transaction</th>
            <th scope="col">Account</th>
            <th scope="col">Date</th>
            <th scope="col">Operation</th>
            <th scope="col" className="numeric">
              Amount, CZK
            </th>
          </tr>
        </thead>
        <tbody>
          {sample.map((transaction) => (
            <tr key={transaction.id} className="numeral">
              <td>{transaction.id}</td>
              <td>{transaction.account}</td>
              <td>{formatDay(startOf(transaction.day))}</td>
              <td>{transaction.operation.replaceAll("_", " ")}</td>
              <td className="numeric">
                <Amount
                  value={transaction.direction === "credit" ? transaction.amount : -transaction.amount}
                  bare
                  signed
                />
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </Sideways>
  );
}
