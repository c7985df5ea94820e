//! What was ever stored is read for ever.
//!
//! `tests/fixtures/format-N` holds a whole store of each format, table by table, and what it must
//! read as. To write the files of a new format: `EVERFOLD_FIXTURES=write cargo test fixtures`.

use std::path::PathBuf;

use everfold::position::Position;
use everfold::store::{
    Change, Key, KeyRange, LoadQuery, MemoryDatabase, MemoryStorage, Order, Read, RowQuery, Storage, Store, Table,
    Write,
};
use everfold::stream::Version;
use serde_json::{Value, json};
use xxhash_rust::xxh64::xxh64;

use crate::contract::log::{any, appended, commit, events_of, over, read_all};

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

/// Everything that the store of a fixture answers.
async fn answers<S: Storage>(store: &Store<S>) -> Value {
    let events: Vec<Value> = read_all(store)
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
        .collect();
    let query = LoadQuery {
        definition: Some(("account", 3)),
        ..LoadQuery::default()
    };
    let loaded = store.load("one", query).await.expect("loads");
    let snapshot = loaded.snapshot.expect("has a snapshot");
    let state = store.projection("balances", 1).await.expect("reads").state;
    let query = RowQuery {
        generation: state.generation,
        index: Some(0),
        ..RowQuery::default()
    };
    let rows = store.list_rows(&query).await.expect("lists").expect("is there");
    let mut problems = Vec::new();
    let mut after = Some(Position(0));
    while let Some(position) = after {
        let report = store.verify(position).await.expect("verifies");
        problems.extend(report.problems.into_iter().map(|problem| problem.message));
        after = report.next;
    }
    json!({
        "replica": store.replica(),
        "events": events,
        "snapshot": [snapshot.version.0, snapshot.occurred_at, snapshot.recorded_at, snapshot.state],
        "afterSnapshot": events_of(&loaded.batch).len(),
        "checkpoint": state.checkpoint,
        "rows": serde_json::from_str::<Value>(&rows).expect("is JSON"),
        "knownCommit": store.find_commit("c1").await.expect("finds").map(|receipt| receipt.position),
        "problems": problems,
    })
}

/// A store with something in every table: a segment, a tail with a lost race, a snapshot, rows, an index.
async fn example() -> MemoryDatabase {
    let database = MemoryDatabase::new();
    let store = over(MemoryStorage::open(&database)).await;
    appended(
        &store,
        &[
            any("c0", "one"),
            commit("c1", &[("one", json!(1)), ("two", json!("no-stream"))]),
        ],
    )
    .await;
    appended(&store, &[any("0123456789abcdef0123456789abcdef", "three ü")]).await;
    store
        .put_snapshot("one", ("account", 3), Version(2), "{\"balance\":2}", 2)
        .await
        .expect("keeps");
    store.seal().await.expect("seals");
    appended(&store, &[any("c2", "one")]).await;
    let lagging = over(MemoryStorage::open(&database)).await;
    lagging.catch_up().await.expect("catches up");
    appended(&store, &[any("c3", "two")]).await;
    // Its first try is the record that counts for nothing.
    appended(&lagging, &[any("c4", "two")]).await;
    store.catch_up().await.expect("catches up");
    let state = store.projection("balances", 1).await.expect("makes").state;
    let write = json!({
        "name": "balances", "version": 1, "generation": state.generation, "expectedCheckpoint": 0, "checkpoint": 5,
        "rows": [["one", { "balance": 2 }, [], [2]], ["two", { "balance": 1 }, [], [1]]],
    })
    .to_string();
    let write = everfold::json::parse(&write).expect("is a write");
    assert!(store.write_rows(&write).await.expect("writes"));
    database
}

#[test]
fn a_store_of_every_format_reads_as_it_did() {
    pollster::block_on(async {
        for format in 1..=everfold::FORMAT {
            let (store, expected) = (folder(format).join("store.json"), folder(format).join("answers.json"));
            if format == everfold::FORMAT && std::env::var("EVERFOLD_FIXTURES").is_ok() {
                let database = example().await;
                let tables = dump(&MemoryStorage::open(&database)).await;
                std::fs::write(&store, format!("{tables:#}\n")).expect("writes");
                let answers = answers(&over(MemoryStorage::open(&database)).await).await;
                std::fs::write(&expected, format!("{answers:#}\n")).expect("writes");
            }
            let read =
                |path| -> Value { serde_json::from_slice(&std::fs::read(path).expect("is there")).expect("is JSON") };

            let database = restore(&read(store)).await;

            assert_eq!(
                answers(&over(MemoryStorage::open(&database)).await).await,
                read(expected)
            );
        }
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

#[test]
fn a_store_of_a_later_format_is_refused_untouched() {
    pollster::block_on(async {
        let database = example().await;
        let storage = MemoryStorage::open(&database);
        let mut later = record_with_every_field();
        later[2] = 3;
        let length = later.len() - 8;
        let checksum = xxh64(&later[..length], 0).to_le_bytes();
        later.splice(length.., checksum);
        let append = Change::Append {
            value: later,
            expected: 7,
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
            "journal record 7 was written by a later release: format 3 is newer than 2, which this release knows"
        );
        assert_eq!(dump(&storage).await, before);
    });
}
