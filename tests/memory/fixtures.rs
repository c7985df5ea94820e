//! What was ever stored is read for ever.
//!
//! `tests/fixtures/format-N` holds a whole store of each format, table by table, and what it must
//! read as. To write those of the present one: `EVERFOLD_FIXTURES=write cargo test --test memory_store fixtures`.
#![expect(clippy::indexing_slicing, reason = "a wrong index fails the test, as it should")]

use std::collections::{BTreeSet, HashSet};
use std::path::PathBuf;

use everfold::commit::Mode;
use everfold::position::Position;
use everfold::projection::{Projection, index_names};
use everfold::store::{
    Change, Fold, Key, KeyRange, LoadQuery, MemoryDatabase, MemoryStorage, Order, Query, Read, RowQuery, Storage,
    Store, StoredRows, Table, Write,
};
use everfold::stream::Version;
use serde_json::{Value, json};
use xxhash_rust::xxh64::xxh64;

use crate::contract::ingest::{BulkCommit, ingested};
use crate::contract::log::{any, appended, commit, events_of, over, read_all};
use crate::contract::{all, done, keys, one};
use crate::history::assert_sound;
use crate::rebuilding::try_rebuild;
use crate::space::{Space, bind, execute, rebase, store_answers, sync};
use crate::tally::{ByStream, assert_replayed};

fn folder(format: u64) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(format!("tests/fixtures/format-{format}"))
}

fn hex(bytes: &[u8]) -> String {
    let digit = |value: u8| char::from_digit(value.into(), 16).expect("is a digit");
    bytes
        .iter()
        .flat_map(|byte| [digit(byte >> 4), digit(byte & 15)])
        .collect()
}

fn unhex(text: &str) -> Vec<u8> {
    let digit = |at: usize| u8::from_str_radix(text.get(at..at + 2).expect("two digits"), 16).expect("is hexadecimal");
    (0..text.len()).step_by(2).map(digit).collect()
}

fn key_to_json(key: &Key) -> Value {
    match key {
        Key::Number(number) => json!(number),
        Key::Text(text) => json!(text),
        Key::List(parts) => parts.iter().map(key_to_json).collect(),
    }
}

fn key_from_json(value: &Value) -> Key {
    match value {
        Value::Number(number) => Key::Number(number.as_f64().expect("is a number")),
        Value::Array(parts) => Key::List(parts.iter().map(key_from_json).collect()),
        other => Key::from(other.as_str().expect("is text")),
    }
}

/// Every table of a database, as JSON.
async fn dump(storage: &impl Storage) -> Value {
    let mut tables = json!({});
    for table in Table::ALL {
        let all = Read::Scan {
            table,
            range: KeyRange::ALL,
            order: Order::Ascending,
            limit: None,
        };
        let entries = storage.read(vec![all]).await.expect("reads").remove(0);
        let entries = entries
            .iter()
            .map(|entry| json!([key_to_json(&entry.key), hex(&entry.value)]))
            .collect();
        tables
            .as_object_mut()
            .expect("is an object")
            .insert(table.name().to_owned(), entries);
    }
    tables
}

/// A dump as text, one entry a line.
fn lines(tables: &Value) -> String {
    let tables = tables.as_object().expect("is an object").iter();
    let tables = tables.map(|(name, entries)| {
        let entries = entries.as_array().expect("is a list").iter().map(Value::to_string);
        let entries: Vec<_> = entries.map(|entry| format!("    {entry}")).collect();
        format!("  \"{name}\": [\n{}\n  ]", entries.join(",\n"))
    });
    format!("{{\n{}\n}}\n", tables.collect::<Vec<_>>().join(",\n"))
}

/// A database with the content of a dump.
async fn restore(tables: &Value) -> MemoryDatabase {
    let database = MemoryDatabase::new();
    let storage = MemoryStorage::open(&database);
    let mut number = 0;
    for table in Table::ALL {
        for entry in tables.get(table.name()).and_then(Value::as_array).expect("is a table") {
            let (key, value) = (entry.get(0).expect("has a key"), entry.get(1).and_then(Value::as_str));
            let (key, value) = (key_from_json(key), unhex(value.expect("has a value")));
            let changes = match (table, &key) {
                (Table::Journal, Key::Number(wanted)) => {
                    // Numbers below were given and deleted by sealing.
                    let mut changes = Vec::new();
                    while number + 1 < *wanted as u64 {
                        number += 1;
                        changes.push(Change::Append {
                            value: Vec::new(),
                            expected: number,
                        });
                        changes.push(Change::Delete(Table::Journal, KeyRange::only(Key::from(number))));
                    }
                    number += 1;
                    if number > *wanted as u64 {
                        Vec::new()
                    } else {
                        changes.push(Change::Append {
                            value,
                            expected: number,
                        });
                        changes
                    }
                }
                _ => vec![Change::Put(table, key, value)],
            };
            storage
                .write(Write {
                    changes,
                    ..Write::default()
                })
                .await
                .expect("writes");
        }
    }
    database
}

/// Everything that the store of a fixture answers. Events of bulk are told by their number and a digest.
async fn answers<S: Storage>(store: &Store<S>) -> Value {
    let (bulk, events): (Vec<_>, Vec<_>) = read_all(store)
        .await
        .into_iter()
        .map(|event| {
            json!([
                event.position,
                event.stream,
                event.version,
                event.event_type,
                event.occurred_at,
                event.recorded_at,
                event.commit,
                event.data,
            ])
        })
        .partition(|event| event[1].as_str().is_some_and(|stream| stream.starts_with("bulk-")));
    let query = LoadQuery {
        definition: Some(("account", 3)),
        ..LoadQuery::default()
    };
    let loaded = store.load("one", query).await.expect("loads");
    let snapshot = loaded.snapshot.expect("has a snapshot");
    let state = store.projection("balances", 1, "").await.expect("reads").state;
    let rows = async |index| {
        let query = RowQuery {
            generation: state.generation,
            index: Some(index),
            ..RowQuery::default()
        };
        let rows = store.list_rows(&query).await.expect("lists").expect("is there");
        serde_json::from_str::<Value>(&rows).expect("is JSON")
    };
    let mut problems = Vec::new();
    let mut after = Some(Position(0));
    while let Some(position) = after {
        let report = store.verify(position).await.expect("verifies");
        problems.extend(report.problems.into_iter().map(|problem| problem.message));
        after = report.next;
    }
    let mut answers = json!({
        "replica": store.replica(),
        "events": events,
        "snapshot": [snapshot.version.0, snapshot.occurred_at, snapshot.recorded_at, snapshot.state],
        "afterSnapshot": events_of(&loaded.batch).len(),
        "checkpoint": state.checkpoint,
        "rows": rows(0).await,
        "knownCommit": store.find_commit("c1").await.expect("finds").map(|receipt| receipt.position),
        "problems": problems,
    });
    if let Some(rebuild) = rebuild_of(store).await {
        let digest = xxh64(Value::from(bulk.clone()).to_string().as_bytes(), 0);
        answers["bulk"] = json!([bulk.len(), format!("{digest:016x}")]);
        answers["rowsByName"] = rows(1).await;
        answers["failedAt"] = json!(state.failed_at);
        answers["revision"] = json!(state.revision);
        answers["rebuiltUpTo"] = json!(rebuild);
    }
    answers
}

/// Up to where the rebuild under way has folded.
async fn rebuild_of<S: Storage>(store: &Store<S>) -> Option<Position> {
    let report = store
        .projection(ByStream::NAME, ByStream::VERSION, "")
        .await
        .expect("reads");
    report.state.rebuild.map(|rebuild| rebuild.checkpoint)
}

/// A store with everything that a release writes: segments that were sealed, merged and ingested, a tail with a
/// commit that has all that a caller may give and with a record that lost its race, snapshots, rows with
/// indexes, and a rebuild under way with rows written and rows put aside.
async fn example() -> MemoryDatabase {
    let database = MemoryDatabase::new();
    let store = over(MemoryStorage::open(&database)).await;
    appended(&store, &[any("merged", "bulk-0")]).await;
    store.seal().await.expect("seals");
    let streams: Vec<_> = (0..300).map(|number| format!("bulk-{number}")).collect();
    let ids: Vec<_> = (0..10).map(|number| format!("bulk {number}")).collect();
    let events: Vec<Vec<_>> = (0..10)
        .map(|number| {
            (0..100)
                .map(|event| (&*streams[(number * 100 + event) % 300], 1))
                .collect()
        })
        .collect();
    let bulk: Vec<_> = ids
        .iter()
        .zip(&events)
        .map(|(id, events)| BulkCommit {
            id,
            content: Some(id),
            events,
        })
        .collect();
    ingested(&store, &bulk).await;
    store.compact(2).await.expect("merges");
    ingested(&store, &bulk_of_others(&[("more bulk", 500), ("and more", 500)])).await;
    appended(
        &store,
        &[
            any("c0", "one"),
            commit("c1", &[("one", json!(1)), ("two", json!("no-stream"))]),
        ],
    )
    .await;
    appended(&store, &[any("0123456789abcdef0123456789abcdef", "three ü")]).await;
    for (version, state) in [(1, "{\"balance\":1}"), (2, "{\"balance\":2}")] {
        store
            .put_snapshot(store.merges(), "one", ("account", 3), Version(version), state, 2)
            .await
            .expect("keeps");
    }
    store.seal().await.expect("seals");
    let decided = json!({
        "commitId": "c2", "known": true, "recordedAt": 2_000, "mode": "intent", "content": "Deposit 3",
        "command": { "type": "Deposit", "data": 3 }, "definition": { "name": "account", "version": 3 },
        "reads": [{ "streamId": "two", "version": 1 }], "causationId": "cause", "correlationId": "conversation",
        "streams": [{ "streamId": "one", "expectedVersion": 2, "events": [{
            "type": "changed", "schemaVersion": 2, "occurredAt": -1_000, "data": { "number": 3 },
            "metadata": { "zone": "Europe/Prague" },
        }]}],
    });
    appended(&store, &[decided]).await;
    let lagging = over(MemoryStorage::open(&database)).await;
    lagging.catch_up().await.expect("catches up");
    appended(&store, &[any("c3", "two")]).await;
    // Its first try is the record that counts for nothing.
    appended(&lagging, &[any("c4", "two")]).await;
    store.catch_up().await.expect("catches up");
    let state = store.projection("balances", 1, "").await.expect("makes").state;
    let write = json!({
        "name": "balances", "version": 1, "generation": state.generation, "expectedCheckpoint": 0, "checkpoint": 5,
        "rows": [
            ["one", { "balance": 2 }, [], [2, "Ann"]], ["two", { "balance": 1 }, [], [1, null]],
            ["three ü", { "balance": 0 }, [], [null, "Bob"]],
        ],
        "failedAt": 6, "replaces": true,
    })
    .to_string();
    let write = everfold::json::parse(&write).expect("is a write");
    assert!(store.write_rows(&write).await.expect("writes"));
    store.view::<ByStream>().count().await.expect("folds");
    begin_rebuild(&store).await;
    database
}

/// Rows of 300 streams, of which the first are where they are read and all the others aside, in two parts.
async fn begin_rebuild<S: Storage>(store: &Store<S>) {
    let (name, version) = (ByStream::NAME, ByStream::VERSION);
    let indexes = index_names::<ByStream>();
    let begun = store
        .begin_rebuild(name, version, false, &indexes)
        .await
        .expect("begins");
    let generation = begun.state.rebuild.expect("is under way").generation;
    let mut fold = Fold::new::<ByStream>(StoredRows {
        generation,
        checkpoint: Position(0),
        revision: 0,
    });
    for (until, writes) in [(Position(6), true), (Position(900), false)] {
        let query = Query {
            until_position: Some(until),
            ..Query::default()
        };
        fold.advance(store, store, &query, usize::MAX).await.expect("folds");
        assert!(fold.stage(store).await.expect("stages"));
        if writes {
            while !store.flush_rows(name, version, generation).await.expect("writes") {}
            fold.forget();
        }
    }
}

/// A store whose rows say which indexes they are entered in, those that are read and those of a rebuild under way.
async fn example_with_indexes() -> MemoryDatabase {
    let database = MemoryDatabase::new();
    let store = over(MemoryStorage::open(&database)).await;
    appended(&store, &[any("c1", "one"), any("c2", "two"), any("c3", "one")]).await;
    store.view::<ByStream>().count().await.expect("folds");
    let indexes = index_names::<ByStream>();
    let begun = store.begin_rebuild(ByStream::NAME, ByStream::VERSION, false, &indexes);
    let mut fold = Fold::new::<ByStream>(StoredRows {
        generation: begun
            .await
            .expect("begins")
            .state
            .rebuild
            .expect("is under way")
            .generation,
        checkpoint: Position(0),
        revision: 0,
    });
    let query = Query {
        until_position: Some(Position(2)),
        ..Query::default()
    };
    fold.advance(&store, &store, &query, usize::MAX).await.expect("folds");
    assert!(fold.stage(&store).await.expect("stages"));
    database
}

#[test]
fn rows_that_say_their_indexes_read_as_they_did() {
    pollster::block_on(async {
        let file = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/format-2-indexes/store.json");
        if std::env::var("EVERFOLD_FIXTURES").is_ok() {
            std::fs::create_dir_all(file.parent().expect("is in a folder")).expect("makes");
            let tables = dump(&MemoryStorage::open(&example_with_indexes().await)).await;
            std::fs::write(&file, lines(&tables)).expect("writes");
        }
        let tables: Value = serde_json::from_slice(&std::fs::read(file).expect("is there")).expect("is JSON");
        let database = restore(&tables).await;
        let storage = MemoryStorage::open(&database);
        // Written down from docs/format.md.
        let body = [field(1, b"by_stream"), field(2, &varint(1)), field(3, br#"["events"]"#)].concat();
        let frame = [vec![0xEF, b'M', 2], body].concat();
        let marker = [frame.clone(), xxh64(&frame, 0).to_le_bytes().to_vec()].concat();
        for generation in [1, 2] {
            let key = Key::from([Key::from("generation"), Key::from(generation)]);
            assert_eq!(one(&storage, Read::Get(Table::Meta, key)).await[0].value, marker);
        }
        let store = over(storage).await;
        let (name, version) = (ByStream::NAME, ByStream::VERSION);
        let seen = store.projection(name, version, "[]").await.expect("reads");
        assert_eq!((seen.indexes.as_str(), seen.resumable), (r#"["events"]"#, false));

        let indexes = index_names::<ByStream>();
        let taken_up = store
            .begin_rebuild(name, version, true, &indexes)
            .await
            .expect("begins");

        let rebuild = taken_up.state.rebuild.expect("is under way");
        assert_eq!((rebuild.generation, rebuild.checkpoint), (2, Position(2)));
        goes_on(&store, &database).await;
    });
}

/// Commits of so many events of one stream.
fn bulk_of_others<'a>(commits: &'a [(&'a str, u64)]) -> Vec<BulkCommit<'a>> {
    let commit = |(id, _): &'a (&'a str, u64)| BulkCommit {
        id,
        content: None,
        events: &[("bulk-300", 500)],
    };
    commits.iter().map(commit).collect()
}

#[test]
fn a_store_of_every_format_reads_as_it_did() {
    pollster::block_on(async {
        for format in 1..=everfold::FORMAT {
            let (store, expected) = (folder(format).join("store.json"), folder(format).join("answers.json"));
            if format == everfold::FORMAT && std::env::var("EVERFOLD_FIXTURES").is_ok() {
                let database = example().await;
                let tables = dump(&MemoryStorage::open(&database)).await;
                std::fs::write(&store, lines(&tables)).expect("writes");
                let answers = answers(&over(MemoryStorage::open(&database)).await).await;
                std::fs::write(&expected, format!("{answers:#}\n")).expect("writes");
            }
            let read =
                |path| -> Value { serde_json::from_slice(&std::fs::read(path).expect("is there")).expect("is JSON") };

            let database = restore(&read(store)).await;
            let store = over(MemoryStorage::open(&database)).await;

            assert_eq!(answers(&store).await, read(expected), "format {format}");
            goes_on(&store, &database).await;
        }
    });
}

/// This release appends to it, rebuilds its rows, seals and merges it, and nothing is lost. A rebuild under way is taken
/// up if it says that it has the same indexes.
async fn goes_on<S: Storage>(store: &Store<S>, database: &MemoryDatabase) {
    appended(store, &[any("later", "one")]).await;
    let events = read_all(store).await;
    assert_replayed::<ByStream, _>(store, database, &events).await;
    try_rebuild::<ByStream, _>(store, true, 0).await.expect("rebuilds");
    assert_replayed::<ByStream, _>(store, database, &events).await;
    store.seal().await.expect("seals");
    while store.compact(2).await.expect("merges") {}
    assert_eq!(read_all(&over(MemoryStorage::open(database)).await).await, events);
    assert_sound(store).await;
}

#[test]
fn the_example_of_this_format_has_every_form_that_is_written() {
    pollster::block_on(async {
        let database = example().await;
        let storage = MemoryStorage::open(&database);
        let of = async |table| keys(&all(&storage, table).await);
        let last = |key: &Key| match key {
            Key::List(parts) => parts.last().cloned().expect("has parts"),
            key => key.clone(),
        };
        let aside = |key: &&Key| matches!(last(key), Key::Number(_));

        let rows = of(Table::Rows).await;
        assert!(rows.iter().filter(aside).count() >= 2, "parts that are aside");
        let generations = rows.iter().filter(|key| !aside(key)).map(|key| match key {
            Key::List(parts) => parts[0].clone(),
            key => key.clone(),
        });
        assert_eq!(
            generations.collect::<BTreeSet<_>>().len(),
            3,
            "rows live, live too, and of the rebuild"
        );
        let values = of(Table::Index).await;
        let values = values.iter().map(|key| match key {
            Key::List(parts) => matches!(parts[2], Key::Text(_)),
            _ => false,
        });
        assert_eq!(values.collect::<BTreeSet<_>>().len(), 2, "numbers and texts");
        assert_eq!(of(Table::Segments).await.len(), 3, "merged, ingested, sealed");
        assert_eq!(of(Table::Snapshots).await.len(), 2);
        assert_eq!(of(Table::Journal).await.len(), 4, "one of them lost its race");
    });
}

fn varint(mut value: u64) -> Vec<u8> {
    let mut out = Vec::new();
    while value >= 128 {
        out.push((value & 127) as u8 | 128);
        value >>= 7;
    }
    out.push(value as u8);
    out
}

fn sized(bytes: &[u8]) -> Vec<u8> {
    [varint(bytes.len() as u64), bytes.to_vec()].concat()
}

fn field(tag: u64, bytes: &[u8]) -> Vec<u8> {
    [varint(tag), sized(bytes)].concat()
}

/// A journal record with every field that the format has, written down byte by byte from
/// `docs/format.md`, and one field that no release knows in each place where one may stand.
fn record_with_every_field() -> Vec<u8> {
    let event = [
        field(1, b"account.opened"),
        field(2, &varint(2)),
        field(3, &varint(2 * 1_700)),
        field(4, b"{\"zone\":\"Europe/Prague\"}"),
        field(5, &varint(0)),
        field(6, b"0123456789abcdef"),
        field(7, b"{\"owner\":\"Ann\"}"),
        field(99, b"later"),
    ]
    .concat();
    let stream = [sized(b"account-1"), vec![3], varint(0), varint(1), sized(&event)].concat();
    let commit = [
        field(1, b"tx-1"),
        field(3, &varint(2)),
        field(4, &varint(1)),
        field(5, b"{\"type\":\"Open\"}"),
        field(6, b"account"),
        field(7, &varint(4)),
        field(8, &[sized(b"limit"), varint(3)].concat()),
        field(9, b"subject"),
        field(10, b"actor"),
        field(11, b"replica-b"),
        field(12, &varint(2 * 1_800)),
        field(13, &varint(2 * 1_900)),
        field(14, b"cause"),
        field(15, b"conversation"),
        field(16, b"key-1"),
        field(17, b"tag"),
        field(18, b"12345678"),
        field(31, b"later"),
        field(32, &stream),
    ]
    .concat();
    let body = [
        field(1, &varint(1)),
        field(2, &varint(1)),
        field(3, &commit),
        field(99, b"later"),
    ]
    .concat();
    let frame = [vec![0xEF, b'J', 1], body].concat();
    let checksum = xxh64(&frame, 0).to_le_bytes();
    [frame, checksum.to_vec()].concat()
}

#[test]
fn every_field_of_the_format_is_read_and_unknown_ones_are_kept_through_sealing() {
    pollster::block_on(async {
        let database = MemoryDatabase::new();
        over(MemoryStorage::open(&database)).await.close();
        let storage = MemoryStorage::open(&database);
        let append = Change::Append {
            value: record_with_every_field(),
            expected: 1,
        };
        storage
            .write(Write {
                changes: vec![append],
                ..Write::default()
            })
            .await
            .expect("writes");

        let store = over(MemoryStorage::open(&database)).await;
        let page = store.read(&everfold::store::Query::default()).await.expect("reads");
        store.seal().await.expect("seals");
        let sealed = store.read(&everfold::store::Query::default()).await.expect("reads");
        let mut file = Vec::new();
        let mut part = 0;
        while let Some(bytes) = store.export_part(part).await.expect("exports") {
            file.extend(bytes);
            part += 1;
        }
        let copy = over(MemoryStorage::open(&MemoryDatabase::new())).await;
        copy.import(&file, false).await.expect("imports");
        let copied = copy.read(&everfold::store::Query::default()).await.expect("reads");

        let document = page.batch.clone().into_document();
        let batch: Value = serde_json::from_str(&document).expect("is JSON");
        let expected = json!({
            "types": ["account.opened"], "streams": ["account-1"],
            "commits": [["tx-1", 2, 1_800, "replica-b", 1, "actor", "cause", "conversation", 1_900]],
            "numbers": [0, 0, 1, 1, 1_700, 0, 0, 2],
            "metadata": [[0, { "zone": "Europe/Prague" }]],
            "data": [{ "owner": "Ann" }],
        });
        assert_eq!(batch, expected);
        assert_eq!(sealed.batch, page.batch);
        assert_eq!(copied.batch, page.batch);
        // Twice in the segment (the event's and the commit's), once more in what was exported.
        let blocks = dump(&storage).await;
        assert!(
            blocks.to_string().contains(&hex(b"later")),
            "unknown fields are stored as they came"
        );
    });
}

/// What a later release of this format may have written: a field more, which this one passes over.
fn with_unknown_field(mut frame: Vec<u8>) -> Vec<u8> {
    frame.truncate(frame.len() - 8);
    frame.extend(field(99, b"later"));
    let checksum = xxh64(&frame, 0).to_le_bytes();
    [frame, checksum.to_vec()].concat()
}

/// Found by going on with the fixtures: what was compared with the stored bytes was what this release would have
/// written, so that a store of an earlier format could not be sealed, and its rows not be written.
#[test]
fn a_field_that_nobody_knows_in_what_is_compared_keeps_nobody_from_writing() {
    pollster::block_on(async {
        let database = example().await;
        let storage = MemoryStorage::open(&database);
        let store = over(MemoryStorage::open(&database)).await;
        for entry in all(&storage, Table::Meta).await {
            let put = Change::Put(Table::Meta, entry.key, with_unknown_field(entry.value));
            done(&storage, vec![put]).await;
        }

        goes_on(&store, &database).await;
        for entry in all(&storage, Table::Meta).await {
            let put = Change::Put(Table::Meta, entry.key, with_unknown_field(entry.value));
            done(&storage, vec![put]).await;
        }
        let opened = over(MemoryStorage::open(&database)).await;
        appended(&opened, &[any("last", "one")]).await;

        assert!(opened.seal().await.expect("seals"));
        opened.view::<ByStream>().rebuild().await.expect("rebuilds");
        assert_sound(&opened).await;
    });
}

#[test]
fn a_store_of_a_later_format_is_refused_untouched() {
    pollster::block_on(async {
        let database = example().await;
        let storage = MemoryStorage::open(&database);
        let number = match keys(&all(&storage, Table::Journal).await).pop() {
            Some(Key::Number(last)) => last as u64 + 1,
            last => panic!("{last:?} is no number"),
        };
        let mut later = record_with_every_field();
        later[2] = 3;
        let length = later.len() - 8;
        let checksum = xxh64(&later[..length], 0).to_le_bytes();
        later.splice(length.., checksum);
        let append = Change::Append {
            value: later,
            expected: number,
        };
        storage
            .write(Write {
                changes: vec![append],
                ..Write::default()
            })
            .await
            .expect("writes");
        let before = dump(&storage).await;

        let error = crate::contract::log::try_open(MemoryStorage::open(&database))
            .await
            .expect_err("is refused");

        assert_eq!(
            error.to_string(),
            format!(
                "journal record {number} was written by a later release: format 3 is newer than 2, which this release knows"
            )
        );
        assert_eq!(dump(&storage).await, before);
    });
}

/// A store with every kind of record that sync writes: commits carried above a segment, appended, pulled below others,
/// decided again, blocked, and refusals of both kinds, one of them dismissed.
async fn example_with_sync() -> MemoryDatabase {
    let space = Space::new().await;
    let database = MemoryDatabase::new();
    let store = over(MemoryStorage::open(&database)).await;
    bind(&store, &space, None).await.expect("binds");
    let order = async |id, kind, amounts: &[(&'static str, i64)], reads: &[&'static str]| {
        let order = crate::space::Order::new(kind, amounts, reads);
        let word = execute(&store, id, &order, Mode::Intent).await.expect("appends");
        assert_eq!(word, "appended");
    };
    let pull = async || {
        let state = store.sync_state().await.expect("reads").expect("is bound");
        let page = space.pull(state.cursor.as_ref(), 10).await.expect("reads");
        store_answers(&store, &[page]).await.expect("stores");
    };
    order("0123456789abcdef0123456789abcdef", "put", &[("a", 5)], &[]).await;
    sync(&store, &space, 10).await.expect("syncs");
    order("carried", "put", &[("b", 1), ("c", 1)], &[]).await;
    store.seal().await.expect("seals");
    order("refused", "take", &[("a", -5)], &[]).await;
    order("changed", "add", &[("a", 7)], &["b"]).await;
    order("dismissed", "take", &[("d", 0)], &["a"]).await;
    space.foreign("f1", &[("a", -1), ("b", 2)]).await;
    space.foreign("f2", &[("a", -9)]).await;
    pull().await;
    rebase(&store, &HashSet::new()).await.expect("rebases");
    store.dismiss_refusal("dismissed").await.expect("dismisses");
    order("blocked", "add", &[("e", 1)], &["a"]).await;
    order("behind", "put", &[("e", 1)], &[]).await;
    space.foreign("f3", &[("a", 2)]).await;
    pull().await;
    rebase(&store, &HashSet::from(["blocked".to_owned(), "changed".to_owned()]))
        .await
        .expect("rebases");
    order("last", "put", &[("a", 1)], &[]).await;
    database
}

/// Everything that the store of that fixture answers.
async fn answers_with_sync<S: Storage>(store: &Store<S>) -> Value {
    let events: Vec<_> = read_all(store)
        .await
        .into_iter()
        .map(|event| {
            json!([
                event.position,
                event.stream,
                event.version,
                event.event_type,
                event.commit,
                event.data
            ])
        })
        .collect();
    let state = store.sync_state().await.expect("reads").expect("is bound");
    let json = |text: String| serde_json::from_str::<Value>(&text).expect("is JSON");
    let body = store.push_body(10, 1 << 20).await.expect("writes").expect("is there");
    json!({
        "events": events,
        "state": json(state.to_json()),
        "refusals": json(store.refusals().await.expect("lists")),
        "dismissed": store.refusal_of("dismissed").await.expect("reads").map(|(kind, _)| kind.name()),
        "push": json(body.text),
    })
}

#[test]
fn a_store_with_sync_reads_as_it_did() {
    pollster::block_on(async {
        let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/format-2-sync");
        let (store, expected) = (folder.join("store.json"), folder.join("answers.json"));
        if std::env::var("EVERFOLD_FIXTURES").is_ok() {
            std::fs::create_dir_all(&folder).expect("makes");
            let database = example_with_sync().await;
            let tables = dump(&MemoryStorage::open(&database)).await;
            std::fs::write(&store, lines(&tables)).expect("writes");
            let answers = answers_with_sync(&over(MemoryStorage::open(&database)).await).await;
            std::fs::write(&expected, format!("{answers:#}\n")).expect("writes");
        }
        let read =
            |path| -> Value { serde_json::from_slice(&std::fs::read(path).expect("is there")).expect("is JSON") };
        let database = restore(&read(store)).await;
        let store = over(MemoryStorage::open(&database)).await;

        assert_eq!(answers_with_sync(&store).await, read(expected));

        appended(&store, &[any("later", "a")]).await;
        let events = read_all(&store).await;
        store.seal().await.expect("seals");
        while store.compact(2).await.expect("merges") {}
        let again = over(MemoryStorage::open(&database)).await;
        assert_eq!(read_all(&again).await, events);
        assert_sound(&again).await;
        again.lead().await.expect("leads");
        rebase(&again, &HashSet::new()).await.expect("rebases");
        assert!(!again.sync_state().await.expect("reads").expect("is bound").rebase);
    });
}

#[test]
fn the_example_with_sync_has_every_kind_of_record() {
    pollster::block_on(async {
        let database = example_with_sync().await;
        let journal = all(&MemoryStorage::open(&database), Table::Journal).await;

        // The first field of a frame's body: tag, length, kind.
        let kinds: BTreeSet<_> = journal.iter().map(|entry| entry.value[5]).collect();

        assert_eq!(kinds, BTreeSet::from([1, 2, 3, 4]));
    });
}
