// @ts-check
// A store's database in IndexedDB: what `IdbStorage` (mod.rs) asks for, done with the browser's own calls.
//
// In JavaScript, because all that IndexedDB takes and gives are JavaScript's objects. A transaction crosses once in each
// direction: as a text with the values behind it, and its answer as a text, of which each value is then fetched
// (crossing.rs). Called from Rust, a request was some ten crossings. In one file, as what Rust imports is copied beside the
// glue, and what that would import is not.
//
// A transaction commits by itself as soon as no request is left, so everything is asked for before anything is awaited, and what
// undoes it is decided inside the handler of the request that it depends on.

/**
 * An empty object store in the scope of every transaction that writes, so that the browser lets them run one after another,
 * whatever else they touch and whichever tab they are of.
 *
 * Chromium (156 and before, `LevelDBScopes::Initialize`) takes two writing transactions that were both under way at a kill for
 * a damaged database, because both hold the shared lock of their database and are rolled back under an exclusive one, and
 * deletes everything. Seen in one of ten kills of a browser that wrote a large record and rows at once; never again with this.
 */
const turn = "turn";

/** How long a tab that was asked to let go of the database may take, in milliseconds. */
const blockedAfter = 5_000;
/** How much longer the browser may take when no tab is in the way. Some browsers never answer. */
const silentAfter = 15_000;
/** How long a transaction may take, in milliseconds, and how much longer for each byte that it writes: a slow phone's MiB in a second. */
const giveUpAfter = 10_000;
const longerForByte = 1_000 / 2 ** 20;
/** When a connection that has written nothing begins a new log: a page that starts first reads what it shows. */
const freshLogAfter = 300;
/** A frozen tab may hold the database of the new log open: then writing goes on without it, after so long. */
const freshLogPatience = 1_000;
/** A database that is there for milliseconds. Where a kill left it behind, the next one finds it. */
const freshLogName = "everfold: a fresh log";

/** What failed, by the numbers of failure.rs. */
const failed = 0;
const quotaExceeded = 1;
const unavailable = 2;
const blocked = 3;
const closed = 4;
const aborted = 5;
const newer = 6;
const foreign = 7;

/** Who takes a connection away, by the numbers of mod.rs. */
const byUpgrade = 0;
const byDeletion = 1;
const byBrowser = 2;

/** How a write ends, by the numbers of crossing.rs. From `checkFailed` on: which check did not hold. */
const done = 0;
const raced = 1;
const checkFailed = 2;

/** Questions and changes, by the numbers of crossing.rs. */
const get = 0;
const count = 1;
const put = 0;
const remove = 1;
const append = 2;

/**
 * @typedef {any} Key a number, a text, or a list of keys
 * @typedef {[lower: Key | null, above: boolean, upper: Key | null, below: boolean]} Range
 * @typedef {[what: number, table: number, keys: any, descending: boolean, limit: number, rows?: number]} Question
 * @typedef {[table: number, key: Key, expected: Uint8Array | undefined]} Check
 * @typedef {[what: number, table: number, keys: any, value: Uint8Array]} Change
 * @typedef {[key: Key, value: any]} Entry
 */

/** With what every promise here is rejected. */
class Failure {
  /**
   * @param {number} kind
   * @param {string} message for `newer` the version that was found
   */
  constructor(kind, message) {
    this.kind = kind;
    this.message = message;
  }
}

/** The browser undoes a transaction without a reason when it takes the connection away: it may have committed before. */
const unsaid = new Failure(closed, "the browser ended the transaction");

/**
 * Opens the database of this name, made or migrated to this version where needed. `tables` are the names of its object stores
 * with a space between them, in the order that later questions count them by; `journal` is the one that makes its own keys.
 * `onClosed` hears who takes the connection away.
 *
 * @param {string} name
 * @param {number} version
 * @param {string} tables
 * @param {string} journal
 * @param {(by: number) => void} onClosed
 */
export async function openDatabase(name, version, tables, journal, onClosed) {
  const names = tables.split(" ");
  const request = asked(() => indexedDB.open(name, version));
  let isBlocked = false;
  let gaveUp = false;
  request.onblocked = () => {
    isBlocked = true;
  };
  // What this throws undoes the upgrade.
  request.onupgradeneeded = ({ oldVersion }) => migrate(request.result, oldVersion, names, journal);
  const opening = answered(request);
  // A connection that nobody holds would block every other.
  opening.then((late) => gaveUp && late.close()).catch(() => {});
  const patience = async () => {
    await waited(blockedAfter);
    await (isBlocked || waited(silentAfter));
    gaveUp = true;
    throw new Failure(
      blocked,
      isBlocked ? "another tab holds an older version of the database open" : "the browser does not open the database",
    );
  };
  const database = await Promise.race([opening, patience()]).catch(async (error) => {
    throw error?.name === "VersionError" ? await later(name) : unopened(error);
  });
  const missing = [...names, turn].find((table) => !database.objectStoreNames.contains(table));
  if (missing !== undefined) {
    database.close();
    throw new Failure(foreign, `it has no ${missing}`);
  }
  return new Connection(database, names, onClosed);
}

/**
 * Deletes the database of this name; there need not be one. Connections of this library close at once.
 *
 * @param {string} name
 */
export async function deleteDatabase(name) {
  const patience = async () => {
    await waited(blockedAfter);
    throw new Failure(blocked, "another tab holds the database open, so it is deleted later");
  };
  const deleting = answered(asked(() => indexedDB.deleteDatabase(name)));
  await Promise.race([deleting, patience()]).catch((error) => {
    throw unopened(error);
  });
}

/**
 * The way from each older version of the object stores to the current one. A change of shape adds a step here and only ever
 * adds stores, so that a tab with the version before keeps working until it is reloaded. Steps are never edited: databases
 * that took them exist.
 *
 * @param {IDBDatabase} database
 * @param {number} version
 * @param {string[]} tables
 * @param {string} journal
 */
function migrate(database, version, tables, journal) {
  if (version < 1) {
    for (const table of tables) {
      database.createObjectStore(table, { autoIncrement: table === journal });
    }
    database.createObjectStore(turn);
  }
}

/**
 * Looks which version is there, without a change.
 *
 * @param {string} name
 */
async function later(name) {
  const database = await answered(asked(() => indexedDB.open(name))).catch((error) => {
    throw unopened(error);
  });
  database.close();
  return new Failure(newer, String(database.version));
}

/** An open database. */
class Connection {
  #database;
  #names;
  #isClosed = false;
  /** Writes under way, of which the first ones may have no transaction yet. */
  #writing = 0;
  #hasFreshLog = false;
  /** @type {Promise<void> | undefined} */
  #freshLog;
  /**
   * Transactions under way, the oldest first.
   *
   * @type {Set<Transaction>}
   */
  #running = new Set();
  /** One clock for all of them, and none when there are none: a timer for each can be felt. */
  #clockRuns = false;

  /**
   * @param {IDBDatabase} database
   * @param {string[]} names
   * @param {(by: number) => void} onClosed
   */
  constructor(database, names, onClosed) {
    this.#database = database;
    this.#names = names;
    database.onversionchange = ({ newVersion }) => {
      this.close();
      onClosed(newVersion === null ? byDeletion : byUpgrade);
    };
    database.onclose = () => {
      this.close();
      onClosed(byBrowser);
    };
    setTimeout(() => this.#beginFreshLog(), freshLogAfter);
  }

  /** Calls under way go on: the browser waits for transactions, but begins none once it was told to close. */
  close() {
    this.#isClosed = true;
    if (this.#writing === 0) {
      this.#database.close();
    }
  }

  /** Closes it, and nobody hears of it any more. */
  release() {
    this.#database.onversionchange = null;
    this.#database.onclose = null;
    this.close();
  }

  /**
   * Answers questions from one instant.
   *
   * @param {string} text a list of questions
   */
  read(text) {
    return this.#ask(JSON.parse(text))
      .then((answers) => new Answers(answers))
      .catch((error) => {
        throw meaning(error);
      });
  }

  /**
   * Checks and changes, all or nothing.
   *
   * @param {string} text `[strict, checks, changes]`, with lengths in place of values
   * @param {Uint8Array} bytes the values one behind another; they are copied before this returns
   */
  write(text, bytes) {
    const write = new Write();
    this.#writing += 1;
    write.outcome = this.#carryOut(write, text, bytes)
      .catch((error) => {
        throw meaning(error);
      })
      .finally(() => {
        this.#writing -= 1;
        if (this.#isClosed) {
          this.close();
        }
      });
    return write;
  }

  /** @param {Question[]} questions */
  async #ask(questions) {
    const tables = questions.flatMap(([, table, , , , rows]) => (rows === undefined ? table : [table, rows]));
    const transaction = this.#begin(tables);
    const answers = Promise.all(questions.map((question) => answer(transaction, question)));
    // Its end is awaited for what undoes it only, and comes later than the last answer.
    await Promise.race([answers, transaction.end]);
    return answers;
  }

  /**
   * All is asked for at once, and what finds something else undoes it from within its own handler: so a write costs no more round
   * trips with checks than without. Where nothing can undo it, the browser is told to commit without waiting for the last answer,
   * which saves one: 1,970 lone records a second were added in this way in Chromium, and 1,610 in the other (relaxed, medians of
   * 5).
   *
   * @param {Write} write
   * @param {string} text
   * @param {Uint8Array} bytes
   */
  async #carryOut(write, text, bytes) {
    /** @type {[boolean, Check[], Change[]]} */
    const [strict, checks, changes] = JSON.parse(text);
    let end = 0;
    // In here, as the memory for a copy may be refused: what a call throws at once, nobody in Rust hears of.
    for (const item of /** @type {any[][]} */ ([...checks, ...changes])) {
      const start = end;
      end += item.at(-1) ?? 0;
      item.push(item.pop() === null ? undefined : bytes.slice(start, end));
    }
    if (!this.#hasFreshLog) {
      await this.#beginFreshLog();
    }
    const tables = [...checks.map(([table]) => table), ...changes.map(([, table]) => table)];
    const transaction = this.#begin(tables, strict ? "strict" : "relaxed", end);
    write.begins(transaction);
    /** @type {[IDBRequest, number][]} */
    const added = [];
    try {
      let isCertain = true;
      checks.forEach(([table, key, expected], index) => {
        isCertain = false;
        const request = transaction.store(table).get(key);
        request.onsuccess = () => {
          if (!isSame(request.result, expected)) {
            transaction.undo({ outcome: checkFailed + index });
          }
        };
      });
      for (const [what, table, keys, value] of changes) {
        const store = transaction.store(table);
        if (what === put) {
          store.put(value, keys);
        } else if (what === remove) {
          const range = rangeOf(keys);
          // Without a range `delete` throws.
          range === undefined ? store.clear() : store.delete(range);
        } else {
          const request = store.add(value);
          if (what === append) {
            isCertain = false;
            request.onsuccess = () => {
              if (request.result !== keys) {
                transaction.undo({ outcome: raced });
              }
            };
          } else {
            added.push([request, keys]);
          }
        }
      }
      if (isCertain) {
        transaction.commit();
      }
    } catch (error) {
      transaction.undo({ error });
    }
    const outcome = await transaction.end;
    return outcome === done && added.some(([{ result }, number]) => result !== number) ? raced : outcome;
  }

  /**
   * Begins a transaction, which has 10 seconds to end, and more the more it writes. One without durability only reads.
   *
   * @param {number[]} tables
   * @param {IDBTransactionDurability} [durability]
   * @param {number} [bytes]
   */
  #begin(tables, durability, bytes = 0) {
    const scope = this.#names.filter((_, table) => tables.includes(table));
    const transaction = new Transaction(
      durability === undefined
        ? this.#database.transaction(scope)
        : this.#database.transaction([...scope, turn], "readwrite", { durability }),
      this.#names,
      giveUpAfter + bytes * longerForByte,
    );
    this.#running.add(transaction);
    const over = () => this.#running.delete(transaction);
    transaction.end.then(over, over);
    if (!this.#clockRuns) {
      this.#setClock(giveUpAfter);
    }
    return transaction;
  }

  /** @param {number} milliseconds */
  #setClock(milliseconds) {
    this.#clockRuns = true;
    setTimeout(() => {
      this.#clockRuns = false;
      // Whatever begins before it rings again has no less than that.
      let next = giveUpAfter;
      let any = false;
      for (const transaction of this.#running) {
        const left = transaction.until - performance.now();
        if (left > 0) {
          next = Math.min(next, left);
          any = true;
        } else {
          transaction.undo({ error: new Failure(blocked, "a transaction did not finish in time") });
        }
      }
      if (any) {
        this.#setClock(next);
      }
    }, milliseconds);
  }

  /** Before the first write of a connection, and soon if it only reads. */
  #beginFreshLog() {
    this.#freshLog ??= beginFreshLog().then(() => {
      this.#hasFreshLog = true;
    });
    return this.#freshLog;
  }
}

/** Answers as they cross: keys as text, each value by itself. */
class Answers {
  text;
  #values;

  /** @param {Entry[][]} answers */
  constructor(answers) {
    this.text = JSON.stringify(answers.map((entries) => entries.map(([key]) => key)));
    this.#values = answers.flatMap((entries) => entries.map(([, value]) => value));
    for (const value of this.#values) {
      if (!(value instanceof Uint8Array)) {
        throw new Failure(failed, `a value that is not bytes: ${JSON.stringify(value)}`);
      }
    }
  }

  /** @param {number} number counted over all answers */
  value(number) {
    return this.#values[number];
  }
}

/** A write, from before it has a transaction. */
class Write {
  /**
   * How it ends; rejects with a failure.
   *
   * @type {Promise<number> | undefined}
   */
  outcome;
  #isDropped = false;
  /** @type {Transaction | undefined} */
  #transaction;

  /** @param {Transaction} transaction */
  begins(transaction) {
    this.#transaction = transaction;
    if (this.#isDropped) {
      this.drop();
    }
  }

  /** Nobody waits for it any more. It is not applied, unless it is too late for that. */
  drop() {
    this.#isDropped = true;
    this.#transaction?.undo({ error: new Failure(aborted, "it was dropped") });
  }
}

/** A transaction under way. */
class Transaction {
  /** When it is given up. */
  until;
  /**
   * Resolves to `done` when it is committed, and where it was undone to why.
   *
   * @type {Promise<number>}
   */
  end;
  #transaction;
  #names;
  /** @type {{ outcome?: number, error?: unknown }} */
  #undone = {};

  /**
   * @param {IDBTransaction} transaction
   * @param {string[]} names
   * @param {number} milliseconds how long it may take
   */
  constructor(transaction, names, milliseconds) {
    this.until = performance.now() + milliseconds;
    this.#transaction = transaction;
    this.#names = names;
    this.end = new Promise((resolve, reject) => {
      transaction.oncomplete = () => resolve(done);
      transaction.onabort = () => {
        const { outcome, error } = this.#undone;
        outcome === undefined ? reject(error ?? transaction.error ?? unsaid) : resolve(outcome);
      };
    });
  }

  /** @param {number} table */
  store(table) {
    return this.#transaction.objectStore(/** @type {string} */ (this.#names[table]));
  }

  commit() {
    this.#transaction.commit();
  }

  /**
   * Undoes everything. If it is too late for that it is being committed, and how that ends will be told.
   *
   * @param {{ outcome: number } | { error: unknown }} how it ends
   */
  undo(how) {
    try {
      this.#transaction.abort();
      this.#undone = how;
    } catch {}
  }
}

/**
 * A new log for the browser's own database, in place of one that a kill may have cut in the middle of a record.
 *
 * Chromium keeps IndexedDB in LevelDB, and goes on with the log that it finds. Killed between the header of a record and its bytes
 * (two calls of the system), it leaves a header that promises bytes which never came. The next start passes over it and writes
 * behind it, if only to undo what was under way; the start after that one takes what stands there for those bytes, finds their
 * checksum wrong, and deletes every database of the site: one kill in a hundred of a browser that was importing lost all. To
 * delete a database makes Chromium begin another log (it compacts the range of its keys, which empties the table in memory
 * first), so that nothing stands behind half a record at the next start.
 *
 * So every connection does that soon after it was opened, out of the way of the first reads, and the first write waits for it.
 * What is left is a browser that ends again before that.
 */
async function beginFreshLog() {
  // Only Chromium says so in this way.
  if ("userAgentData" in navigator) {
    await Promise.race([makeAndDelete(), waited(freshLogPatience)]);
  }
}

/** Where that cannot be done, there is nothing better than to write. */
async function makeAndDelete() {
  try {
    const database = await answered(indexedDB.open(freshLogName));
    database.close();
    await answered(indexedDB.deleteDatabase(freshLogName));
  } catch {}
}

/**
 * What was found for a question. All that needs no answer first is asked for at once.
 *
 * @param {Transaction} transaction
 * @param {Question} question
 * @returns {Promise<Entry[]>}
 */
async function answer(transaction, [what, table, keys, descending, limit, rows]) {
  const store = transaction.store(table);
  if (what === get) {
    const value = await found(store.get(keys));
    return value === undefined ? [] : [[keys, value]];
  }
  const range = rangeOf(keys);
  if (what === count) {
    return [[await found(store.count(range)), new Uint8Array()]];
  }
  const entries = await entriesOf(store, range, descending, limit);
  if (rows === undefined) {
    return entries;
  }
  const looked = entries.map(async ([key]) => {
    const isEntry = Array.isArray(key) && key.length === 4;
    const row = isEntry ? await found(transaction.store(rows).get([key[0], key[3]])) : undefined;
    return /** @type {Entry} */ ([key, row]);
  });
  return (await Promise.all(looked)).filter(([, value]) => value !== undefined);
}

/**
 * @param {IDBObjectStore} store
 * @param {IDBKeyRange | undefined} range
 * @param {boolean} descending
 * @param {number} limit 0 is none
 * @returns {Promise<Entry[]>}
 */
async function entriesOf(store, range, descending, limit) {
  const direction = descending ? "prev" : "next";
  // In Chromium since 141. For 100 records it took a sixth of the time of a cursor; for the 100 blocks of a segment a third to a
  // half of the time of their keys and values apart.
  if ("getAllRecords" in store) {
    const all = /** @type {{ getAllRecords(options: object): IDBRequest<{ key: Key, value: any }[]> }} */ (store);
    const records = await found(all.getAllRecords({ query: range, count: limit || undefined, direction }));
    return records.map(({ key, value }) => [key, value]);
  }
  if (descending && limit > 0) {
    return lastOf(store, range, limit);
  }
  const [keys, values] = await Promise.all([found(store.getAllKeys(range, limit)), found(store.getAll(range, limit))]);
  const entries = keys.map((key, index) => /** @type {Entry} */ ([key, values[index]]));
  return descending ? entries.reverse() : entries;
}

/**
 * One round trip for each.
 *
 * @param {IDBObjectStore} store
 * @param {IDBKeyRange | undefined} range
 * @param {number} limit
 */
async function lastOf(store, range, limit) {
  /** @type {Entry[]} */
  const entries = [];
  const request = store.openCursor(range, "prev");
  let cursor = await found(request);
  while (cursor !== null) {
    entries.push([cursor.key, cursor.value]);
    if (entries.length === limit) {
      break;
    }
    cursor.continue();
    cursor = await found(request);
  }
  return entries;
}

/**
 * @param {Range} range
 * @returns {IDBKeyRange | undefined} undefined is every key
 */
function rangeOf([lower, above, upper, below]) {
  if (lower !== null && upper !== null) {
    return IDBKeyRange.bound(lower, upper, above, below);
  }
  if (lower !== null) {
    return IDBKeyRange.lowerBound(lower, above);
  }
  return upper === null ? undefined : IDBKeyRange.upperBound(upper, below);
}

/**
 * @param {unknown} found
 * @param {Uint8Array | undefined} expected
 */
function isSame(found, expected) {
  return expected === undefined || !(found instanceof Uint8Array)
    ? found === expected
    : found.length === expected.length && found.every((byte, index) => byte === expected[index]);
}

/**
 * The answer to a request in a transaction. What fails it undoes the transaction, which says why.
 *
 * @template T
 * @param {IDBRequest<T>} request
 * @returns {Promise<T>}
 */
function found(request) {
  return new Promise((resolve) => {
    request.onsuccess = () => resolve(request.result);
  });
}

/**
 * The answer to a request of the browser's factory.
 *
 * @param {IDBOpenDBRequest} request
 * @returns {Promise<IDBDatabase>}
 */
function answered(request) {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
}

/** @param {number} milliseconds */
function waited(milliseconds) {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}

/**
 * Asks the factory, where there is one and the page may: in a sandboxed frame it may not.
 *
 * @param {() => IDBOpenDBRequest} ask
 */
function asked(ask) {
  try {
    return ask();
  } catch (error) {
    const reason = error instanceof DOMException ? "this page may not use IndexedDB" : "there is no IndexedDB here";
    throw new Failure(unavailable, reason);
  }
}

/**
 * Why a database does not open, or is not deleted.
 *
 * @param {Failure | DOMException | null} error
 */
function unopened(error) {
  if (error instanceof Failure) {
    return error;
  }
  const message = error?.message ?? "it does not open";
  return new Failure(error?.name === "QuotaExceededError" ? quotaExceeded : unavailable, message);
}

/**
 * What the browser's exceptions mean for us. Browsers agree on few of the names and on none of the texts; those here were seen.
 *
 * @param {any} error
 */
function meaning(error) {
  if (error instanceof Failure) {
    return error;
  }
  const { name, message } = error;
  switch (name) {
    case "QuotaExceededError":
      return new Failure(quotaExceeded, message);
    // The connection is closing. Firefox says it too after the quota was used up, until one opens again.
    case "InvalidStateError":
    case "AbortError":
      return new Failure(closed, message);
    case "ConstraintError":
      return new Failure(aborted, message);
    case "SecurityError":
      return new Failure(unavailable, message);
  }
  // With these texts Safari says that its storage process is gone.
  const isGone = /Indexed Database server|internal error was encountered/.test(message);
  return isGone && name === "UnknownError" ? new Failure(closed, message) : new Failure(failed, `${name}: ${message}`);
}
