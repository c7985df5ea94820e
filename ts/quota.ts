/**
 * The browser's storage: how much is used, and whether it may be taken away.
 *
 * `navigator.storage` is missing in some browsers, and in others it does not answer before a person
 * has (Firefox asks for `persist`), so every question has a time-out.
 */
import type { Engine } from "./engine.js";

const patienceMs = 3_000;
/** Above this part of the quota the app should hear of it. */
const lowAbove = 0.8;
const lookEachChanges = 500;

/** Usage and quota of the whole origin; null where the browser does not tell. */
export async function quotaOfOrigin(): Promise<{ readonly usage: number; readonly quota: number } | null> {
  const estimate = await answerInTime(storageManager()?.estimate?.(), undefined);
  return estimate?.usage === undefined || estimate.quota === undefined
    ? null
    : { usage: estimate.usage, quota: estimate.quota };
}

/** Whether the browser has promised not to evict the origin. */
export async function isPersisted(): Promise<boolean> {
  return answerInTime(storageManager()?.persisted?.(), false);
}

/** Asks for that promise. */
export async function persistOrigin(engine: Engine): Promise<boolean> {
  const granted = await answerInTime(storageManager()?.persist?.(), false);
  if (!granted) {
    engine.report({
      code: "persistence-refused",
      message: "the browser may evict this store when space runs short",
      details: {},
    });
  }
  return granted;
}

/** Reports `quota-low` once each time the usage rises above the limit. Returns what ends it. */
export function watchQuota(engine: Engine): () => void {
  if (engine.storage === "memory") {
    return () => undefined;
  }
  let changes = 0;
  let low = false;

  async function look(): Promise<void> {
    const found = await quotaOfOrigin();
    const isLow = found !== null && found.usage > found.quota * lowAbove;
    if (found !== null && isLow && !low) {
      const part = Math.round((found.usage / found.quota) * 100);
      engine.report({
        code: "quota-low",
        message: `${part} % of the storage that the browser grants this site is used`,
        details: { ...found },
      });
    }
    low = isLow;
  }

  engine.idle.afterStart("quota", look);
  return engine.log.onChange(() => {
    changes += 1;
    if (changes % lookEachChanges === 0) {
      engine.idle.later("quota", look);
    }
  });
}

function storageManager(): StorageManager | undefined {
  return typeof navigator === "undefined" ? undefined : navigator.storage;
}

async function answerInTime<T>(question: Promise<T> | undefined, otherwise: T): Promise<T> {
  if (question === undefined) {
    return otherwise;
  }
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<T>((resolve) => {
    timer = setTimeout(resolve, patienceMs, otherwise);
  });
  try {
    return await Promise.race([question, late]);
  } catch {
    return otherwise;
  } finally {
    clearTimeout(timer);
  }
}
