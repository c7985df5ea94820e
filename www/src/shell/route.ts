/**
 * Which page is shown, kept in the part of the address after `#`: it works from any folder and
 * without a network, and every account and every page has a link that can be kept.
 */
import { useMemo, useSyncExternalStore } from "react";

export type Route =
  | { readonly page: "bank" }
  | { readonly page: "account"; readonly id: string }
  | { readonly page: "import" }
  | { readonly page: "devices" }
  | { readonly page: "storage" }
  | { readonly page: "unknown" };

export function routeOf(hash: string): Route {
  const [page = "", id = "", ...rest] = hash.replace(/^#?\/?/, "").split("/");
  if (rest.length > 0) return { page: "unknown" };
  if (page === "" && id === "") return { page: "bank" };
  if (page === "accounts" && id !== "") return accountRoute(id);
  if ((page === "import" || page === "devices" || page === "storage") && id === "") return { page };
  return { page: "unknown" };
}

export function hrefOf(route: Exclude<Route, { page: "unknown" }>): string {
  switch (route.page) {
    case "bank":
      return "#/";
    case "account":
      return `#/accounts/${encodeURIComponent(route.id)}`;
    default:
      return `#/${route.page}`;
  }
}

export function useRoute(): Route {
  const hash = useSyncExternalStore(onHashChange, () => location.hash);
  return useMemo(() => routeOf(hash), [hash]);
}

function accountRoute(encoded: string): Route {
  try {
    return { page: "account", id: decodeURIComponent(encoded) };
  } catch {
    return { page: "unknown" };
  }
}

function onHashChange(changed: () => void): () => void {
  addEventListener("hashchange", changed);
  return () => removeEventListener("hashchange", changed);
}
