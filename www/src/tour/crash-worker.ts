/**
 * Moves one crown to and fro until it is killed, telling before each commit that it begins and after
 * it that it is on disk. It opens the same store as the page, as another tab would.
 */
import { transfer } from "../ledger.ts";
import { openLedger } from "../store.ts";

/** What the worker is told. */
export interface CrashOrder {
  readonly run: string;
  readonly from: string;
  readonly to: string;
}

/** What the worker tells. */
export interface CrashNotice {
  readonly kind: "begun" | "acknowledged";
  readonly commitId: string;
}

// A promise that fails is no error of the worker's until it is reported: the page would wait for ever.
addEventListener("message", ({ data }: MessageEvent<CrashOrder>) => void moveMoney(data).catch(reportError));

async function moveMoney({ run, from, to }: CrashOrder): Promise<void> {
  const ledger = await openLedger();
  const tell = (notice: CrashNotice): void => postMessage(notice);
  // #region crash
  for (let count = 1; ; count += 1) {
    const [payer, payee] = count % 2 === 1 ? [from, to] : [to, from];
    const commitId = `crash-${run}-${count}`;
    tell({ kind: "begun", commitId });
    const data = { from: payer, to: payee, amount: 1_00 };
    await ledger.execute(transfer, { type: "Transfer", data }, { commitId });
    tell({ kind: "acknowledged", commitId });
  }
  // #endregion
}
