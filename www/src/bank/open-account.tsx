/** Opens a new account under the next free number. */
import { useExecute } from "everfold/react";
import { type FormEvent, useId, useRef, useState } from "react";
import type { Balance } from "../balances.ts";
import { account } from "../ledger.ts";
import { complaintOf } from "../shell/complaint.ts";
import { Failure } from "../shell/failure.tsx";
import { hrefOf } from "../shell/route.ts";
import { nextNumber } from "./next-number.ts";

export function OpenAccount({ taken }: { readonly taken: readonly Readonly<Balance>[] }) {
  const execute = useExecute();
  const dialog = useRef<HTMLDialogElement>(null);
  const [complaint, setComplaint] = useState<string | null>(null);
  const [error, setError] = useState<unknown>();
  const [busy, setBusy] = useState(false);
  const id = useId();

  const submit = async (event: FormEvent<HTMLFormElement>): Promise<void> => {
    event.preventDefault();
    if (busy) return;
    const owner = String(new FormData(event.currentTarget).get("owner") ?? "").trim();
    const number = nextNumber(taken.map((row) => row.account));
    setBusy(true);
    try {
      await execute(account, number, { type: "Open", data: { owner } });
      dialog.current?.close();
      location.hash = hrefOf({ page: "account", id: number });
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
    <>
      <button type="button" onClick={() => dialog.current?.showModal()}>
        Open an account
      </button>
      <dialog ref={dialog} aria-labelledby={`${id}-title`} className="dialog" onClose={forget}>
        <form className="dialog-body" onSubmit={(event) => void submit(event)} onInput={forget} noValidate>
          <h2 id={`${id}-title`}>Open an account</h2>
          <div className="field">
            <label htmlFor={id}>Owner</label>
            <input
              id={id}
              name="owner"
              autoComplete="off"
              aria-invalid={complaint !== null}
              aria-describedby={complaint === null ? undefined : `${id}-complaint`}
            />
            {complaint !== null && (
              <p id={`${id}-complaint`} className="complaint" role="alert">
                {complaint}
              </p>
            )}
          </div>
          {error !== undefined && <Failure error={error} />}
          <div className="dialog-buttons">
            <button type="button" onClick={() => dialog.current?.close()}>
              Cancel
            </button>
            <button type="submit" className="primary" aria-disabled={busy}>
              Open
            </button>
          </div>
        </form>
      </dialog>
    </>
  );
}
