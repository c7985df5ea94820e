// The event store on SQLite: the side that owns the database.
//
// WAL with exclusive locking (one tab, which the other stores do not ask for) and synchronous=normal for
// "relaxed" or full for "strict". A commit is one autocommitted statement that also checks the expected
// version; statements are prepared once; JSON goes in and comes out as text, parsed only to be folded.

import sqlite3InitModule from "@sqlite.org/sqlite-wasm";
import { evolveAccount, evolveBalance, initialAccount } from "../ledger/account.js";
import { recordsOfCommit, streamOf } from "../ledger/record.js";

const projectionName = "balances";

const schema = `
  create table if not exists events (
    position integer primary key, stream_id text not null, version integer not null, event_id text not null,
    commit_id text not null, type text not null, data text not null, occurred_at integer not null,
    recorded_at integer not null, unique (stream_id, version));
  create table if not exists snapshots (stream_id text primary key, version integer not null, state text not null) without rowid;
  create table if not exists balances (stream_id text primary key, row text not null) without rowid;
  create table if not exists checkpoints (projection text primary key, position integer not null) without rowid;`;

const statements = {
  begin: "begin immediate",
  commit: "commit",
  rollback: "rollback",
  insert: `insert into events (stream_id, version, event_id, commit_id, type, data, occurred_at, recorded_at)
    values (?, ?, ?, ?, ?, ?, ?, ?)`,
  insertAt: `insert into events (stream_id, version, event_id, commit_id, type, data, occurred_at, recorded_at)
    select ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8
    where ?2 = 1 or exists (select 1 from events where stream_id = ?1 and version = ?2 - 1)`,
  tail: "select type, data from events where stream_id = ? and version > ? order by version",
  snapshot: "select version, state from snapshots where stream_id = ?",
  putSnapshot: "insert or replace into snapshots (stream_id, version, state) values (?, ?, ?)",
  row: "select row from balances where stream_id = ?",
  putRow: "insert or replace into balances (stream_id, row) values (?, ?)",
  checkpoint: "select position from checkpoints where projection = ?",
  putCheckpoint: "insert or replace into checkpoints (projection, position) values (?, ?)",
  last: "select max(position) from events",
  scan: "select position, stream_id, type, data from events where position > ? order by position",
};

let sqlite3;
let db;
let prepared;
let projects;

const methods = {
  async open({ database, durability, projection }) {
    globalThis.sqlite3ApiConfig = { disable: { vfs: { opfs: true, "opfs-wl": true, kvvfs: true } } }; // starts sooner
    sqlite3 = await sqlite3InitModule();
    db = await openDatabase(database);
    db.exec("pragma locking_mode = exclusive");
    const mode = db.selectValue("pragma journal_mode = wal");
    if (mode !== "wal") throw new Error(`SQLite runs in ${mode} mode, not wal`);
    db.exec(
      `pragma synchronous = ${durability === "strict" ? "full" : "normal"}; pragma cache_size = -65536; pragma temp_store = memory;`,
    );
    db.exec(schema);
    prepared = Object.fromEntries(Object.entries(statements).map(([name, sql]) => [name, db.prepare(sql)]));
    projects = projection;
  },

  append(streamId, expectedVersion, events) {
    const records = recordsOfCommit(streamId, expectedVersion, events);
    if (records.length === 1 && !projects) return insertAt(records[0]);
    return inTransaction(() => {
      insertAt(records[0]);
      for (const record of records.slice(1)) run("insert", bindings(record));
      if (!projects) return;
      const position = Number(sqlite3.capi.sqlite3_last_insert_rowid(db));
      const row = value("row", [streamId]);
      run("putRow", [streamId, JSON.stringify(events.reduce(evolveBalance, parsed(row)))]);
      run("putCheckpoint", [projectionName, position]);
    });
  },

  load(accountId) {
    const streamId = streamOf(accountId);
    const [snapshot] = rows("snapshot", [streamId]);
    let version = snapshot?.[0] ?? 0;
    let state = snapshot === undefined ? initialAccount() : JSON.parse(snapshot[1]);
    for (const [type, data] of rows("tail", [streamId, version])) {
      state = evolveAccount(state, { type, data: JSON.parse(data) });
      version += 1;
    }
    return { state, version };
  },

  snapshot(accountId) {
    const { state, version } = methods.load(accountId);
    run("putSnapshot", [streamOf(accountId), version, JSON.stringify(state)]);
  },

  balance(accountId) {
    if ((value("checkpoint", [projectionName]) ?? 0) !== (value("last", []) ?? 0)) catchUp();
    return parsed(value("row", [streamOf(accountId)]))?.balance;
  },

  ingest(events) {
    inTransaction(() => {
      for (const event of events)
        run("insert", bindings(recordsOfCommit(event.streamId, event.version - 1, [event])[0]));
    });
  },

  scan() {
    const { byStream, events } = foldAfter(0, new Map());
    let total = 0;
    for (const row of byStream.values()) total += row.balance;
    return { events, accounts: byStream.size, total };
  },

  close() {
    for (const statement of Object.values(prepared)) statement.finalize();
    db.close();
  },
};

// Of the two file systems that SQLite has for the origin's private files, the pool of access handles was
// the faster one by far: 2,848 sequential commits/s against 531 (relaxed, medians of 3).
async function openDatabase(name) {
  const pool = await sqlite3.installOpfsSAHPoolVfs({ name: `pool-${name}`, directory: `/${name}` });
  return new pool.OpfsSAHPoolDb("/ledger.sqlite3");
}

/** The unique constraint refuses a version that exists, the statement itself one that would leave a gap. */
function insertAt(record) {
  run("insertAt", bindings(record));
  if (db.changes() === 0) throw new Error(`stream ${record.streamId} is not at version ${record.version - 1}`);
}

const bindings = (record) => [
  record.streamId,
  record.version,
  record.eventId,
  record.commitId,
  record.type,
  JSON.stringify(record.data),
  record.occurredAt,
  record.recordedAt,
];

const parsed = (text) => (text === undefined ? undefined : JSON.parse(text));

function run(name, values) {
  const statement = prepared[name];
  if (values?.length) statement.bind(values);
  try {
    statement.step();
  } finally {
    statement.reset();
  }
}

function rows(name, values) {
  const statement = prepared[name].bind(values);
  const found = [];
  while (statement.step()) found.push(statement.get([]));
  statement.reset();
  return found;
}

function value(name, values) {
  const statement = prepared[name];
  if (values.length > 0) statement.bind(values);
  const found = statement.step() ? statement.get(0) : undefined;
  statement.reset();
  return found ?? undefined;
}

function inTransaction(work) {
  run("begin");
  try {
    work();
  } catch (error) {
    run("rollback");
    throw error;
  }
  run("commit");
}

/** Folds every event after `position` into `byStream`, which is asked for rows that it lacks. */
function foldAfter(position, byStream, missing = () => undefined) {
  const statement = prepared.scan.bind([position]);
  let events = 0;
  let last = position;
  while (statement.step()) {
    const streamId = statement.get(1);
    const event = { type: statement.get(2), data: JSON.parse(statement.get(3)) };
    byStream.set(streamId, evolveBalance(byStream.get(streamId) ?? missing(streamId), event));
    last = statement.get(0);
    events += 1;
  }
  statement.reset();
  return { byStream, events, last };
}

function catchUp() {
  const start = value("checkpoint", [projectionName]) ?? 0;
  const { byStream, last } = foldAfter(start, new Map(), (streamId) => parsed(value("row", [streamId])));
  inTransaction(() => {
    for (const [streamId, row] of byStream) run("putRow", [streamId, JSON.stringify(row)]);
    run("putCheckpoint", [projectionName, last]);
  });
}

// One call at a time, in the order they came: `open` is asynchronous, everything after it is not.
let previous = Promise.resolve();
self.onmessage = ({ data: { call, method, args } }) => {
  previous = previous.then(async () => {
    try {
      self.postMessage({ call, result: await methods[method](...args) });
    } catch (error) {
      self.postMessage({ call, error: error.message });
    }
  });
};
