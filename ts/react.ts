/**
 * `everfold/react`: live results as React state.
 *
 * Each hook keeps one `Live` of the store, through `useSyncExternalStore`. A live result that nobody
 * subscribes to holds on to nothing, and it may be subscribed to again, so a render that is thrown away
 * (StrictMode) leaves nothing behind; it is kept in state, so a hot reload keeps what is on the screen.
 * On a server everything is loading, and the first render in the browser says the same.
 */
import {
  createContext,
  createElement,
  type ReactElement,
  type ReactNode,
  useCallback,
  useContext,
  useState,
  useSyncExternalStore,
} from "react";
import type { AnyAggregate, StateOf } from "./aggregate.js";
import { type AnyEverfoldError, EverfoldError, isEverfoldError } from "./errors.js";
import type { AnyProjection, IndexOf, RowOf } from "./projection.js";
import { syncOff } from "./sync/status.js";
import type { AnyStore, Entry, ListQuery, Live, LiveState, Loaded, Refusal, SyncStatus } from "./types.js";

export type { AnyStore, Entry, ListQuery, LiveState, Loaded, Refusal, SyncStatus } from "./types.js";

/** What `EverfoldProvider` takes. */
export interface EverfoldProviderProps {
  /** The store for everything below; `undefined` while it is being opened, and on a server. */
  readonly store: AnyStore | undefined;
  readonly children?: ReactNode;
}

/** Missing is null, not opened yet is undefined. */
const StoreContext = createContext<AnyStore | undefined | null>(null);

/** Gives a store to the hooks below it. The store's life is its owner's: nothing here closes it. */
export function EverfoldProvider({ store, children }: EverfoldProviderProps): ReactElement {
  return createElement(StoreContext.Provider, { value: store }, children);
}

/** One row of a projection, `undefined` if there is none. Renders again only when that row changes. */
export function useView<P extends AnyProjection>(projection: P, key: string): LiveState<RowOf<P> | undefined>;
/** A list of rows. The query is compared by its content: it may be written inline. */
export function useView<P extends AnyProjection>(
  projection: P,
  query: ListQuery<RowOf<P>, IndexOf<P>>,
): LiveState<readonly Entry<RowOf<P>>[]>;
export function useView(projection: AnyProjection, keyOrQuery: string | ListQuery): LiveState<unknown> {
  return useLive(projection, contentOf(keyOrQuery), (store) =>
    typeof keyOrQuery === "string"
      ? store.view(projection).watch(keyOrQuery)
      : store.view(projection).watch(keyOrQuery),
  );
}

/** An aggregate's state and version. Renders again only when its stream changes. */
export function useAggregate<A extends AnyAggregate>(aggregate: A, id: string): LiveState<Loaded<StateOf<A>>> {
  return useLive(aggregate, id, (store) => store.watch(aggregate, id));
}

/** The store's `execute`, the same function in every render. */
export function useExecute(): AnyStore["execute"] {
  const store = useStore();
  return useCallback(
    (...call: unknown[]) => {
      if (store === undefined) {
        const message = "there is no store yet: render what executes once the provider has one";
        return Promise.reject(new EverfoldError("store-closed", message, {}));
      }
      return (store.execute as (...call: unknown[]) => Promise<never>).apply(store, call);
    },
    [store],
  ) as AnyStore["execute"];
}

/** Where sync stands; `state` is `"off"` without sync, and on a server. */
export function useSyncStatus(): SyncStatus {
  const { value = syncOff } = useLive(syncOff, "", (store) => store.sync.watch());
  return value;
}

const refusals = {};

/** What a merge or the server refused or changed, until it is dismissed; empty without sync, and on a server. */
export function useRefusals(): readonly Refusal[] {
  const { value = none } = useLive(refusals, "", (store) => store.refusals.watch());
  return value;
}

const none: readonly Refusal[] = [];

function useStore(): AnyStore | undefined {
  const store = useContext(StoreContext);
  if (store === null) {
    throw new Error("there is no EverfoldProvider above this component");
  }
  return store;
}

/** A live result and what it was made from. */
interface Held<T> {
  readonly store: AnyStore | undefined;
  readonly definition: object;
  readonly content: string;
  readonly subscribe: (listener: () => void) => () => void;
  readonly current: () => LiveState<T>;
}

/** Holds the live result of one definition and content, and another one when any of them changes. */
function useLive<T>(definition: object, content: string, open: (store: AnyStore) => Live<T>): LiveState<T> {
  const store = useStore();
  const hold = (): Held<T> => ({ store, definition, content, ...(store === undefined ? never : opened(store, open)) });
  const [held, setHeld] = useState(hold);
  let shown = held;
  if (held.store !== store || held.definition !== definition || held.content !== content) {
    shown = hold();
    setHeld(shown);
  }
  return useSyncExternalStore(shown.subscribe, shown.current, isLoading);
}

/** A store that is closed or does not know the definition makes a failed result, not a broken page. */
function opened<T>(store: AnyStore, open: (store: AnyStore) => Live<T>): Pick<Held<T>, "subscribe" | "current"> {
  try {
    const live = open(store);
    return { subscribe: (listener) => live.subscribe(listener), current: () => live.current };
  } catch (error) {
    if (!isEverfoldError(error)) {
      throw error;
    }
    const failed: LiveState<T> = { status: "failed", error: error as AnyEverfoldError };
    return { ...never, current: () => failed };
  }
}

const loading = { status: "loading" } as const;
const isLoading = () => loading;
const never = { subscribe: () => () => {}, current: isLoading };

/** The same text for the same query, whatever the order of its properties. */
function contentOf(keyOrQuery: string | ListQuery): string {
  const content =
    typeof keyOrQuery === "object" && keyOrQuery !== null
      ? Object.entries(keyOrQuery)
          .filter(([, value]) => value !== undefined)
          .sort(([a], [b]) => (a < b ? -1 : 1))
      : keyOrQuery;
  return `${JSON.stringify(content)}`;
}
