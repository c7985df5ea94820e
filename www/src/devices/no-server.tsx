/** Where the page is shown by a host that only has files: what to run to try this. */
export function NoServer({ onAskAgain }: { readonly onAskAgain: () => void }) {
  return (
    <section className="panel no-server" aria-label="No server here">
      <h2>There is no sync server at this address</h2>
      <p>
        The rest of the ledger needs none. To see devices sync, run the demo with its server from a clone of the
        project, and open the address that it prints:
      </p>
      <pre>npm start</pre>
      <div>
        <button type="button" onClick={onAskAgain}>
          Look again
        </button>
      </div>
    </section>
  );
}
