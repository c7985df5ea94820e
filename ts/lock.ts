/**
 * Web Locks, where there are any. Without them (Node, memory storage) a lock only holds within the
 * page, which is all who can see the store then.
 */

const heldInPage = new Set<string>();

/** Runs `work` while holding the lock; undefined at once if somebody else holds it. */
export async function withLock<T>(name: string, work: () => Promise<T>): Promise<{ readonly result: T } | undefined> {
  const locks = lockManager();
  if (locks !== undefined) {
    return await locks.request(name, { ifAvailable: true }, async (lock) =>
      lock === null ? undefined : { result: await work() },
    );
  }
  if (heldInPage.has(name)) {
    return undefined;
  }
  heldInPage.add(name);
  try {
    return { result: await work() };
  } finally {
    heldInPage.delete(name);
  }
}

/** Resolves when nobody holds the lock, without it within the page a little later: look again then. */
export async function lockFree(name: string): Promise<void> {
  const locks = lockManager();
  if (locks === undefined) {
    await new Promise((resolve) => setTimeout(resolve, 50));
  } else {
    await locks.request(name, { mode: "shared" }, () => undefined);
  }
}

/** Holds a lock together with others until the returned function is called. */
export function shareLock(name: string): () => void {
  let release = () => {};
  const held = new Promise<void>((resolve) => {
    release = resolve;
  });
  lockManager()
    ?.request(name, { mode: "shared" }, () => held)
    .catch(() => undefined);
  return () => release();
}

function lockManager(): LockManager | undefined {
  return typeof navigator === "undefined" ? undefined : navigator.locks;
}
