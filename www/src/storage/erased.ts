/** Word from the tab that erased the ledger to the others, which still show what is gone. */

const KEY = "erased";

export function tellErased(): void {
  localStorage.setItem(KEY, new Date().toISOString());
}

/** Begins anew, as the other tab does. */
export function followErased(): void {
  // Heard in the other tabs only.
  addEventListener("storage", ({ key }) => {
    if (key === KEY) location.reload();
  });
}
