/** What surrounds every page: skip link, name, navigation, whether there is a network, a foot. */
import { type ReactNode, useEffect, useLayoutEffect, useRef, useSyncExternalStore } from "react";
import { hrefOf, type Route } from "./route.ts";
import "./shell.css";

const LINKS = [
  { page: "bank", label: "Bank" },
  { page: "import", label: "Import" },
  { page: "devices", label: "Devices" },
  { page: "storage", label: "Storage" },
] as const;

export function Shell({ route, children }: { readonly route: Route; readonly children: ReactNode }) {
  const online = useOnline();
  return (
    <>
      <button type="button" className="skip-link" onClick={() => document.getElementById("main")?.focus()}>
        Skip to the content
      </button>
      <header className="shell-head">
        <div className="shell-bar">
          <a className="wordmark" href={hrefOf({ page: "bank" })}>
            <Mark />
            Everfold Ledger
          </a>
          <nav aria-label="Pages">
            <ul>
              {LINKS.map(({ page, label }) => (
                <li key={page}>
                  <a href={hrefOf({ page })} aria-current={isCurrent(route, page) ? "page" : undefined}>
                    {label}
                  </a>
                </li>
              ))}
            </ul>
          </nav>
        </div>
      </header>
      <main id="main" tabIndex={-1}>
        {children}
      </main>
      <footer className="shell-foot small soft">
        <p role="status">{online ? whereKept(route) : "Offline. Everything still works."}</p>
      </footer>
    </>
  );
}

interface PageProps {
  readonly title: string;
  readonly lead?: ReactNode;
  readonly children: ReactNode;
}

/**
 * A page with its heading. The heading takes the focus when another page is shown, or when what had
 * the focus went away with the page before, so that a screen reader says where one is. Not on the
 * first page of a visit: there the browser's own start of the document is right.
 */
export function Page({ title, lead, children }: PageProps) {
  const place = useRef<HTMLDivElement>(null);
  const heading = useRef<HTMLHeadingElement>(null);
  useEffect(() => {
    document.title = `${title} · Everfold Ledger`;
  }, [title]);
  useLayoutEffect(() => {
    const here = place.current;
    const moved = location.hash !== shownHash;
    shownHash = location.hash;
    if (moved || focusWasInside) heading.current?.focus({ preventScroll: true });
    if (moved) scrollTo(0, 0);
    return () => {
      focusWasInside = here?.contains(document.activeElement) ?? false;
    };
  }, []);
  return (
    <div ref={place} className="page">
      <div className="page-head">
        <h1 ref={heading} tabIndex={-1}>
          {title}
        </h1>
        {lead}
      </div>
      {children}
    </div>
  );
}

/** The address of the page shown last, and whether the focus was in what was taken away. */
let shownHash = location.hash;
let focusWasInside = false;

function whereKept({ page }: Route): string {
  return page === "devices"
    ? "Only the devices of this page talk to a server, the one at this address."
    : "Everything here is kept on this device only.";
}

function isCurrent(route: Route, page: (typeof LINKS)[number]["page"]): boolean {
  return route.page === page || (page === "bank" && route.page === "account");
}

function useOnline(): boolean {
  return useSyncExternalStore(onConnectionChange, () => navigator.onLine);
}

function onConnectionChange(changed: () => void): () => void {
  addEventListener("online", changed);
  addEventListener("offline", changed);
  return () => {
    removeEventListener("online", changed);
    removeEventListener("offline", changed);
  };
}

function Mark() {
  return (
    <svg
      viewBox="0 0 24 24"
      width="22"
      height="22"
      aria-hidden="true"
      fill="none"
      stroke="currentColor"
      strokeWidth="2"
    >
      <path d="M4 9l8-4 8 4M4 14l8-4 8 4M4 19l8-4 8 4" strokeLinecap="round" strokeLinejoin="round" />
    </svg>
  );
}
