/** Something too wide for a narrow page: it scrolls by itself, by keyboard too. */
import type { ReactNode } from "react";

export function Sideways({ label, children }: { readonly label: string; readonly children: ReactNode }) {
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be able to take the focus
    <section className="sideways" aria-label={label} tabIndex={0}>
      {children}
    </section>
  );
}
