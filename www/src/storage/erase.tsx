/** Erases the ledger from this device, after asking: also one that did not open. */
import { deleteStore } from "everfold";
import { useContext, useId, useRef, useState } from "react";
import { Failure } from "../shell/failure.tsx";
import { LedgerContext } from "../shell/ledger-context.ts";
import { hrefOf } from "../shell/route.ts";
import { STORE_NAME } from "../store.ts";
import { tellErased } from "./erased.ts";

export function Erase() {
  const ledger = useContext(LedgerContext);
  const dialog = useRef<HTMLDialogElement>(null);
  const [error, setError] = useState<unknown>();
  const id = useId();
  const erase = async (): Promise<void> => {
    try {
      await ledger?.close();
      await deleteStore(STORE_NAME);
      tellErased();
      location.hash = hrefOf({ page: "bank" });
      location.reload();
    } catch (failure) {
      setError(failure);
    }
  };
  return (
    <div className="storage-item">
      <div>
        <h3>Start over</h3>
        <p className="small soft">Erases every event from this device. There is no other copy.</p>
      </div>
      <button type="button" className="danger" onClick={() => dialog.current?.showModal()}>
        Erase the ledger
      </button>
      <dialog
        ref={dialog}
        className="dialog"
        aria-labelledby={id}
        onClose={() => error !== undefined && location.reload()}
      >
        <div className="dialog-body">
          <h2 id={id}>Erase the ledger?</h2>
          <p>All accounts and all their events go from this device, for good.</p>
          {error !== undefined && <Failure error={error} />}
          <div className="dialog-buttons">
            <button type="button" onClick={() => dialog.current?.close()}>
              Keep it
            </button>
            <button type="button" className="danger" onClick={() => void erase()}>
              Erase everything
            </button>
          </div>
        </div>
      </dialog>
    </div>
  );
}
