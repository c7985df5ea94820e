/** Deposit, withdraw or transfer. What the rules refuse is said beside the field that it is about. */
import { useExecute } from "everfold/react";
import { type FormEvent, useId, useState } from "react";
import { account, type Field, transfer } from "../ledger.ts";
import { formatMoney, type Hellers, parseTypedAmount } from "../money.ts";
import { type Complaint, complaintOf } from "../shell/complaint.ts";
import { Failure } from "../shell/failure.tsx";
import "./move-money.css";

const KINDS = ["Deposit", "Withdraw", "Transfer"] as const;
type Kind = (typeof KINDS)[number];

const DONE: Readonly<Record<Kind, string>> = { Deposit: "Deposited", Withdraw: "Withdrew", Transfer: "Sent" };

type Answer =
  | { readonly kind: "done"; readonly message: string }
  | { readonly kind: "refused"; readonly complaint: Complaint }
  | { readonly kind: "failed"; readonly error: unknown };

export function MoveMoney({ id }: { readonly id: string }) {
  const execute = useExecute();
  const [kind, setKind] = useState<Kind>("Deposit");
  const [answer, setAnswer] = useState<Answer | null>(null);
  const [busy, setBusy] = useState(false);
  const name = useId();
  const complaint = answer?.kind === "refused" ? answer.complaint : null;

  const carryOut = async (amount: Hellers, to: string, note: string): Promise<void> => {
    const said = note === "" ? {} : { note };
    if (kind === "Transfer") await execute(transfer, { type: "Transfer", data: { from: id, to, amount, ...said } });
    else await execute(account, id, { type: kind, data: { amount, ...said } });
  };

  const refuse = (field: Field, message: string): void => setAnswer({ kind: "refused", complaint: { field, message } });

  const submit = async (event: FormEvent<HTMLFormElement>): Promise<void> => {
    event.preventDefault();
    if (busy) return;
    const form = event.currentTarget;
    const data = new FormData(form);
    const text = (field: string): string => String(data.get(field) ?? "").trim();
    const amount = parseTypedAmount(text("amount"));
    if (amount === undefined) return refuse("amount", "Enter an amount like 250 or 1,250.50.");
    if (kind === "Transfer" && text("to") === "") return refuse("to", "Say which account it goes to.");
    setBusy(true);
    try {
      await carryOut(amount, text("to"), text("note"));
      form.reset();
      setAnswer({ kind: "done", message: `${DONE[kind]} ${formatMoney(amount)}. It is on disk.` });
    } catch (error) {
      const refused = complaintOf(error);
      setAnswer(refused ? { kind: "refused", complaint: refused } : { kind: "failed", error });
    } finally {
      setBusy(false);
    }
  };

  return (
    <form className="move-money" noValidate onSubmit={(event) => void submit(event)} onInput={() => setAnswer(null)}>
      <fieldset className="kinds">
        <legend className="visually-hidden">What to do</legend>
        {KINDS.map((choice) => (
          <label key={choice}>
            <input type="radio" name={name} checked={kind === choice} onChange={() => setKind(choice)} />
            {choice}
          </label>
        ))}
      </fieldset>
      {complaint?.field === "account" && (
        <p className="complaint" role="alert">
          {complaint.message}
        </p>
      )}
      <TextField label="Amount, CZK" field="amount" complaint={complaint} numeric />
      {kind === "Transfer" && <TextField label="To account" field="to" complaint={complaint} numeric />}
      <TextField label="Note (optional)" field="note" complaint={null} />
      {/* Not `disabled`: a browser takes the focus from a button that is. */}
      <button type="submit" className="primary" aria-disabled={busy}>
        {kind}
      </button>
      <p role="status" className="small">
        {answer?.kind === "done" && answer.message}
      </p>
      {answer?.kind === "failed" && <Failure error={answer.error} />}
    </form>
  );
}

interface TextFieldProps {
  readonly label: string;
  readonly field: Field | "note";
  readonly complaint: Complaint | null;
  readonly numeric?: boolean;
}

function TextField({ label, field, complaint, numeric = false }: TextFieldProps) {
  const id = useId();
  const wrong = complaint?.field === field;
  return (
    <div className="field">
      <label htmlFor={id}>{label}</label>
      <input
        id={id}
        name={field}
        autoComplete="off"
        inputMode={numeric ? "decimal" : "text"}
        aria-invalid={wrong}
        aria-describedby={wrong ? `${id}-complaint` : undefined}
      />
      {wrong && (
        <p id={`${id}-complaint`} className="complaint" role="alert">
          {complaint.message}
        </p>
      )}
    </div>
  );
}
