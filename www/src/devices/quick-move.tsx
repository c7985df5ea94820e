/** Deposit, withdraw or transfer in one line. What the rules refuse at once is said below it. */
import { useExecute } from "everfold/react";
import { type FormEvent, useId, useState } from "react";
import { account, transfer } from "../ledger.ts";
import { type Hellers, parseTypedAmount } from "../money.ts";
import { complaintOf } from "../shell/complaint.ts";
import { Failure } from "../shell/failure.tsx";

const KINDS = ["Deposit", "Withdraw", "Transfer"] as const;
type Kind = (typeof KINDS)[number];

interface QuickMoveProps {
  readonly from: string;
  readonly accounts: readonly string[];
}

export function QuickMove({ from, accounts }: QuickMoveProps) {
  const execute = useExecute();
  const [kind, setKind] = useState<Kind>("Withdraw");
  const [complaint, setComplaint] = useState<string | null>(null);
  const [error, setError] = useState<unknown>();
  const [busy, setBusy] = useState(false);
  const id = useId();

  const carryOut = (amount: Hellers, to: string): Promise<unknown> =>
    kind === "Transfer"
      ? execute(transfer, { type: "Transfer", data: { from, to, amount } })
      : execute(account, from, { type: kind, data: { amount } });

  const submit = async (event: FormEvent<HTMLFormElement>): Promise<void> => {
    event.preventDefault();
    if (busy) return;
    const form = event.currentTarget;
    const data = new FormData(form);
    const amount = parseTypedAmount(String(data.get("amount") ?? "").trim());
    const to = String(data.get("to") ?? "");
    if (amount === undefined) return setComplaint("Enter an amount like 250 or 1,250.50.");
    if (kind === "Transfer" && to === "") return setComplaint("There is no other account to send it to.");
    setBusy(true);
    try {
      await carryOut(amount, to);
      form.reset();
    } catch (failure) {
      const refused = complaintOf(failure);
      setComplaint(refused?.message ?? null);
      setError(refused ? undefined : failure);
    } finally {
      setBusy(false);
    }
  };

  const forget = (): void => {
    setComplaint(null);
    setError(undefined);
  };

  return (
    <form className="quick-move" noValidate onSubmit={(event) => void submit(event)} onInput={forget}>
      <fieldset className="quick-kinds">
        <legend className="visually-hidden">What to do with {from}</legend>
        {KINDS.map((choice) => (
          <label key={choice}>
            <input
              type="radio"
              name="kind"
              value={choice}
              checked={kind === choice}
              onChange={() => setKind(choice)}
              className="visually-hidden"
            />
            {choice}
          </label>
        ))}
      </fieldset>
      {kind === "Transfer" && (
        <select name="to" aria-label="To account">
          {accounts
            .filter((other) => other !== from)
            .map((other) => (
              <option key={other} value={other}>
                to {other}
              </option>
            ))}
        </select>
      )}
      <input
        name="amount"
        aria-label="Amount, CZK"
        placeholder="Amount, CZK"
        autoComplete="off"
        inputMode="decimal"
        aria-invalid={complaint !== null}
        aria-describedby={complaint === null ? undefined : id}
      />
      <button type="submit" className="primary" aria-disabled={busy}>
        {kind}
      </button>
      {complaint !== null && (
        <p id={id} className="complaint" role="alert">
          {complaint}
        </p>
      )}
      {error !== undefined && <Failure error={error} />}
    </form>
  );
}
