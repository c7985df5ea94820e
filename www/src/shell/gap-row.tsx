/** Stands for the rows of a long table that are not in the page, as high as they would be. */
export function GapRow({ height }: { readonly height: number }) {
  if (height <= 0) return null;
  return (
    // biome-ignore lint/a11y/noAriaHiddenOnFocusable: a gap has nothing in it that takes the focus
    <tr aria-hidden="true" className="gap-row">
      <td style={{ height }} />
    </tr>
  );
}
