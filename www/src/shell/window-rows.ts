/**
 * Rows of a long table while the page itself scrolls: which of them are in sight, and how high the
 * gaps are that stand for the others. The table stays a real table.
 */
import { useWindowVirtualizer } from "@tanstack/react-virtual";
import { type RefObject, useLayoutEffect, useRef, useState } from "react";

export interface WindowRows {
  /** For the table's body. */
  readonly body: RefObject<HTMLTableSectionElement | null>;
  /** Indexes of the rows to show. */
  readonly indexes: readonly number[];
  /** Heights of what is left out before and after them. */
  readonly before: number;
  readonly after: number;
  /** For each row, which must carry its `data-index`. */
  readonly measure: (row: HTMLTableRowElement | null) => void;
  readonly scrollTo: (index: number) => void;
}

export function useWindowRows(count: number, estimatedHeight: number): WindowRows {
  const body = useRef<HTMLTableSectionElement>(null);
  const [top, setTop] = useState(0);
  useLayoutEffect(() => {
    // What stands above may grow and shrink, and moves the table with it.
    const measureTop = () => setTop(Math.round((body.current?.getBoundingClientRect().top ?? 0) + scrollY));
    measureTop();
    const watcher = new ResizeObserver(measureTop);
    watcher.observe(document.body);
    return () => watcher.disconnect();
  }, []);
  const virtual = useWindowVirtualizer({
    count,
    estimateSize: () => estimatedHeight,
    overscan: 12,
    scrollMargin: top,
  });
  const items = virtual.getVirtualItems();
  const [first, last] = [items[0], items.at(-1)];
  return {
    body,
    indexes: items.map(({ index }) => index),
    before: first ? first.start - top : 0,
    after: last ? virtual.getTotalSize() - (last.end - top) : 0,
    measure: virtual.measureElement,
    scrollTo: (index) => virtual.scrollToIndex(index),
  };
}
