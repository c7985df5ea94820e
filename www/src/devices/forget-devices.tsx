/** Begins anew with empty devices, after asking. */
import { useId, useRef, useState } from "react";
import { Failure } from "../shell/failure.tsx";
import { forgetDevices } from "./device-store.ts";

export function ForgetDevices() {
  const dialog = useRef<HTMLDialogElement>(null);
  const [error, setError] = useState<unknown>();
  const id = useId();
  return (
    <>
      <button type="button" className="quiet" onClick={() => dialog.current?.showModal()}>
        Start over with empty devices
      </button>
      <dialog
        ref={dialog}
        className="dialog"
        aria-labelledby={id}
        onClose={() => error !== undefined && location.reload()}
      >
        <div className="dialog-body">
          <h2 id={id}>Start over?</h2>
          <p>
            The databases of these devices are deleted, with what they have not sent, and they begin in a new space. The
            server keeps the old one.
          </p>
          {error !== undefined && <Failure error={error} />}
          <div className="dialog-buttons">
            <button type="button" onClick={() => dialog.current?.close()}>
              Keep them
            </button>
            <button type="button" className="danger" onClick={() => void forgetDevices().catch(setError)}>
              Start over
            </button>
          </div>
        </div>
      </dialog>
    </>
  );
}
