/** Freezes an account or lets it move money again. */
import { useExecute } from "everfold/react";
import { useState } from "react";
import { account } from "../ledger.ts";
import { Failure } from "../shell/failure.tsx";

export function Freezing({ id, frozen }: { readonly id: string; readonly frozen: boolean }) {
  const execute = useExecute();
  const [error, setError] = useState<unknown>();
  const turn = async (): Promise<void> => {
    setError(undefined);
    try {
      if (frozen) await execute(account, id, { type: "Unfreeze" });
      else await execute(account, id, { type: "Freeze", data: { reason: "Frozen by hand" } });
    } catch (failure) {
      setError(failure);
    }
  };
  return (
    <>
      <button type="button" onClick={() => void turn()}>
        {frozen ? "Unfreeze this account" : "Freeze this account"}
      </button>
      {error !== undefined && <Failure error={error} />}
    </>
  );
}
