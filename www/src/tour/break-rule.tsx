/** Asks for more than an account holds, to see it refused. */
import { useExecute } from "everfold/react";
import { useState } from "react";
import { account } from "../ledger.ts";
import { formatMoney } from "../money.ts";
import { complaintOf } from "../shell/complaint.ts";
import { Failure } from "../shell/failure.tsx";
import { useRichest } from "./richest.ts";

export function BreakRule() {
  const execute = useExecute();
  const [answer, setAnswer] = useState<string | null>(null);
  const [error, setError] = useState<unknown>();
  const victim = useRichest()?.[0];
  if (!victim) return null;
  const amount = Math.max(victim.balance, 0) + 100_00;

  const attempt = async (): Promise<void> => {
    setAnswer(null);
    try {
      await execute(account, victim.account, { type: "Withdraw", data: { amount } });
    } catch (failure) {
      const refused = complaintOf(failure);
      setAnswer(refused?.message ?? null);
      setError(refused ? undefined : failure);
    }
  };

  return (
    <div className="tour-action">
      <div>
        <button type="button" className="primary" onClick={() => void attempt()}>
          Withdraw {formatMoney(amount)} from account {victim.account}
        </button>
      </div>
      <p role="status">
        {answer !== null && (
          <>
            <strong className="owed">Refused.</strong> {answer} It still holds {formatMoney(victim.balance)}.
          </>
        )}
      </p>
      {error !== undefined && <Failure error={error} />}
    </div>
  );
}
