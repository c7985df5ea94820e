/// <reference lib="esnext.disposable" preserve="true" />
/**
 * Rows, and results that are kept up to date.
 */
import type { IndexValue } from "../core/rows.js";
import type { AnyEverfoldError } from "../errors.js";
import type { AnyProjection, IndexOf, RowOf } from "../projection.js";

/** One row and its key. */
export interface Entry<Row> {
  readonly key: string;
  readonly row: Row;
}

/** Which rows to list, in the order of index value then key, or of keys alone. Bounds are on what orders. */
export interface ListQuery<Row = unknown, I extends string = string> {
  readonly index?: I | undefined;
  readonly gte?: IndexValue | undefined;
  readonly gt?: IndexValue | undefined;
  readonly lte?: IndexValue | undefined;
  readonly lt?: IndexValue | undefined;
  /** Only values that begin with this text. */
  readonly prefix?: string | undefined;
  readonly reverse?: boolean | undefined;
  /** All of them if left out. */
  readonly limit?: number | undefined;
  /** The last entry of the page before. */
  readonly after?: Entry<Row> | undefined;
}

/** The readable rows of one projection. Reads see this tab's own finished writes. */
export interface View<Row = unknown, I extends string = string> {
  get(key: string): Promise<Row | undefined>;
  /** In the order of `keys`. */
  getMany(keys: readonly string[]): Promise<readonly (Row | undefined)[]>;
  count(): Promise<number>;
  list(query?: ListQuery<Row, I>): Promise<readonly Entry<Row>[]>;
  /** Position up to which the rows are folded. */
  checkpoint(): number;
  watch(key: string): Live<Row | undefined>;
  watch(query: ListQuery<Row, I>): Live<readonly Entry<Row>[]>;
}

/** A view as of another time, held in memory until it is disposed of. */
export interface ProjectedView<Row = unknown, I extends string = string>
  extends Omit<View<Row, I>, "watch">,
    Disposable {
  dispose(): void;
}

/** The view of a projection. */
export type ViewOf<P extends AnyProjection> = View<RowOf<P>, IndexOf<P>>;

/** A result that is kept up to date while somebody subscribes. */
export interface Live<T> extends Disposable {
  /** The same reference until it changes. */
  readonly current: LiveState<T>;
  /** Called once a batch of commits, only if this result changed. Returns what ends it. */
  subscribe(listener: (state: LiveState<T>) => void): () => void;
  /** Ends every subscription; as `[Symbol.dispose]`, which older browsers lack. */
  dispose(): void;
}

/** Where a live result stands. */
export type LiveState<T> =
  | { readonly status: "loading"; readonly value?: undefined; readonly error?: undefined }
  | { readonly status: "ready"; readonly value: T; readonly error?: undefined }
  | { readonly status: "failed"; readonly error: AnyEverfoldError; readonly value?: undefined };
