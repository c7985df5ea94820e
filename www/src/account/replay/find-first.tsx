/** Finds the event by which something first came about, and shows it. */
import type { FirstFound } from "everfold";
import { type FormEvent, useEffect, useId, useRef, useState } from "react";
import { formatMoment } from "../../day.ts";
import { account } from "../../ledger.ts";
import { formatMoney, parseTypedAmount } from "../../money.ts";
import { Failure } from "../../shell/failure.tsx";
import { useLedger } from "../../shell/ledger-context.ts";
import { CONDITIONS, type Condition, cameAbout, textOf } from "./condition.ts";

interface FindFirstProps {
  readonly id: string;
  readonly onFound: (version: number) => void;
}

type Answer =
  | { readonly kind: "said"; readonly text: string }
  | { readonly kind: "unreadable" }
  | { readonly kind: "failed"; readonly error: unknown };

export function FindFirst({ id, onFound }: FindFirstProps) {
  const ledger = useLedger();
  const [kind, setKind] = useState<Condition["kind"]>("below");
  const [answer, setAnswer] = useState<Answer | null>(null);
  const search = useRef(new AbortController());
  const field = useId();
  useEffect(() => () => search.current.abort(), []);

  const find = async (condition: Condition): Promise<void> => {
    search.current.abort();
    search.current = new AbortController();
    const { signal } = search.current;
    try {
      const found = await ledger.findFirst(account, id, (state, event) => cameAbout(condition, state, event), {
        signal,
      });
      if (signal.aborted) return;
      setAnswer(answerOf(found, condition));
      if (found !== undefined) onFound(found.event.version);
    } catch (error) {
      if (!signal.aborted) setAnswer({ kind: "failed", error });
    }
  };

  const submit = (event: FormEvent<HTMLFormElement>): void => {
    event.preventDefault();
    const amount = kind === "frozen" ? 0 : parseTypedAmount(String(new FormData(event.currentTarget).get("amount")));
    if (amount === undefined) setAnswer({ kind: "unreadable" });
    else void find(kind === "frozen" ? { kind } : { kind, amount });
  };

  const wrong = answer?.kind === "unreadable";
  return (
    <form className="find-first" noValidate onSubmit={submit}>
      <label htmlFor={`${field}-kind`}>Find first when</label>
      <select
        id={`${field}-kind`}
        value={kind}
        onChange={(event) => {
          setKind(event.target.value as Condition["kind"]);
          setAnswer(null);
        }}
      >
        {Object.entries(CONDITIONS).map(([value, words]) => (
          <option key={value} value={value}>
            {words}
          </option>
        ))}
      </select>
      {kind !== "frozen" && (
        <input
          name="amount"
          aria-label="Amount to look for, CZK"
          inputMode="decimal"
          autoComplete="off"
          defaultValue="1,000"
          aria-invalid={wrong}
          aria-describedby={wrong ? `${field}-complaint` : undefined}
        />
      )}
      <button type="submit">Find</button>
      {wrong && (
        <p id={`${field}-complaint`} className="complaint" role="alert">
          Enter an amount like 250 or 1,250.50.
        </p>
      )}
      <p role="status" className="small">
        {answer?.kind === "said" && answer.text}
      </p>
      {answer?.kind === "failed" && <Failure error={answer.error} />}
    </form>
  );
}

function answerOf(found: FirstFound<typeof account> | undefined, condition: Condition): Answer {
  const words = textOf(condition);
  if (found === undefined) return { kind: "said", text: `Never: not once ${words}.` };
  if (found.status === "failed") return { kind: "failed", error: found.error };
  const { event, state } = found;
  const text = `${sentence(words)} first by event ${event.version}, ${formatMoment(event.occurredAt)}. It left ${formatMoney(state.balance)}.`;
  return { kind: "said", text };
}

function sentence(words: string): string {
  return words.charAt(0).toUpperCase() + words.slice(1);
}
