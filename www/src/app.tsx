/** Opens the store once and shows the page that the address names. */
import { isEverfoldError } from "everfold";
import { EverfoldProvider } from "everfold/react";
import { type ReactNode, Suspense, use } from "react";
import { AccountPage } from "./account/account-page.tsx";
import { BankPage } from "./bank/bank-page.tsx";
import { DevicesPage } from "./devices/devices-page.tsx";
import { ImportPage } from "./import/import-page.tsx";
import { Failure, FailureBoundary } from "./shell/failure.tsx";
import { LedgerContext } from "./shell/ledger-context.ts";
import { hrefOf, useRoute } from "./shell/route.ts";
import { Page, Shell } from "./shell/shell.tsx";
import { Erase } from "./storage/erase.tsx";
import { StoragePage } from "./storage/storage-page.tsx";
import { openLedger } from "./store.ts";

const opening = openLedger();

export function App() {
  const route = useRoute();
  return (
    <Shell route={route}>
      <FailureBoundary fallback={(error) => <OpeningFailed error={error} />}>
        <Suspense fallback={<Opening />}>
          <OpenLedger>
            <CurrentPage />
          </OpenLedger>
        </Suspense>
      </FailureBoundary>
    </Shell>
  );
}

function OpenLedger({ children }: { readonly children: ReactNode }) {
  const ledger = use(opening);
  return (
    <EverfoldProvider store={ledger}>
      <LedgerContext value={ledger}>{children}</LedgerContext>
    </EverfoldProvider>
  );
}

function CurrentPage() {
  const route = useRoute();
  switch (route.page) {
    case "bank":
      return <BankPage />;
    case "account":
      return <AccountPage key={route.id} id={route.id} />;
    case "import":
      return <ImportPage />;
    case "devices":
      return <DevicesPage />;
    case "storage":
      return <StoragePage />;
    case "unknown":
      return (
        <Page title="Nothing here">
          <p>
            This address names no page. <a href={hrefOf({ page: "bank" })}>Go to the bank</a>.
          </p>
        </Page>
      );
  }
}

function Opening() {
  return (
    <div className="page" role="status">
      <p className="soft">Opening the ledger…</p>
    </div>
  );
}

function OpeningFailed({ error }: { readonly error: unknown }) {
  return (
    <Page title="The ledger did not open">
      <Failure error={error} />
      <div>
        <button type="button" className="primary" onClick={() => location.reload()}>
          Try again
        </button>
      </div>
      {isEverfoldError(error, "storage-corrupt") && (
        <section className="panel storage-part">
          <h2>If it stays damaged</h2>
          <Erase />
        </section>
      )}
    </Page>
  );
}
