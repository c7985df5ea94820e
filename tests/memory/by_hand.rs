//! Records written by hand, byte by byte from `docs/format.md`, with fields that no release knows.

use everfold::store::{Change, Key, LoadQuery, MemoryDatabase, MemoryStorage, Query, Storage, Table};
use everfold::stream::Version;
use serde_json::{Value, json};
use xxhash_rust::xxh64::xxh64;

use crate::contract::export::export;
use crate::contract::log::{any, appended, over, try_open};
use crate::contract::{all, done, keys};
use crate::dump::{dump, hex};
use crate::fixtures::{example, goes_on};
use crate::history::assert_sound;
use crate::tally::ByStream;

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
        done(&storage, vec![append]).await;

        let store = over(MemoryStorage::open(&database)).await;
        let page = store.read(&Query::default()).await.expect("reads");
        store.seal().await.expect("seals");
        let sealed = store.read(&Query::default()).await.expect("reads");
        let file = export(&store).await;
        let copy = over(MemoryStorage::open(&MemoryDatabase::new())).await;
        copy.import(&file, false).await.expect("imports");
        let copied = copy.read(&Query::default()).await.expect("reads");

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

/// Found by going on with the fixtures: what was compared with the stored bytes was what this release would have
/// written, so that a store of an earlier format could not be sealed, and its rows not be written.
#[test]
fn a_field_that_nobody_knows_in_what_is_compared_keeps_nobody_from_writing() {
    pollster::block_on(async {
        let database = example().await;
        let storage = MemoryStorage::open(&database);
        let store = over(MemoryStorage::open(&database)).await;
        add_unknown_fields(&storage).await;

        goes_on(&store, &database).await;
        add_unknown_fields(&storage).await;
        let opened = over(MemoryStorage::open(&database)).await;
        appended(&opened, &[any("last", "one")]).await;

        assert!(opened.seal().await.expect("seals"));
        opened.view::<ByStream>().rebuild().await.expect("rebuilds");
        assert_sound(&opened).await;
    });
}

#[test]
fn what_cannot_be_read_does_not_matter_before_a_snapshot_however_short_the_stream() {
    pollster::block_on(async {
        let database = MemoryDatabase::new();
        over(MemoryStorage::open(&database)).await.close();
        let append = Change::Append {
            value: record_of_encoding(7),
            expected: 1,
        };
        done(&MemoryStorage::open(&database), vec![append]).await;
        let store = over(MemoryStorage::open(&database)).await;
        appended(&store, &[any("second", "account-1")]).await;
        let query = LoadQuery {
            definition: Some(("account", 1)),
            snapshot_every: Some(100),
            ..LoadQuery::default()
        };

        let error = store.load("account-1", query).await.expect_err("cannot be read");
        assert!(error.to_string().contains("encoding"), "{error}");
        let state = store.put_snapshot(store.merges(), "account-1", ("account", 1), Version(1), "{}", 2);
        state.await.expect("keeps");
        let loaded = store.load("account-1", query).await.expect("loads");

        let from = loaded.snapshot.map(|snapshot| snapshot.version);
        assert_eq!((from, loaded.batch.events()), (Some(Version(1)), 1));
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
        let mut later = without_checksum(record_with_every_field());
        later[2] = 3;
        let append = Change::Append {
            value: with_checksum(later),
            expected: number,
        };
        done(&storage, vec![append]).await;
        let before = dump(&storage).await;

        let error = try_open(MemoryStorage::open(&database)).await.expect_err("is refused");

        assert_eq!(
            error.to_string(),
            format!(
                "journal record {number} was written by a later release: format 3 is newer than 2, which this release knows"
            )
        );
        assert_eq!(dump(&storage).await, before);
    });
}

/// A journal record with every field that the format has, written down byte by byte from
/// `docs/format.md`, and one field that no release knows in each place where one may stand.
fn record_with_every_field() -> Vec<u8> {
    record_of_encoding(0)
}

fn record_of_encoding(encoding: u64) -> Vec<u8> {
    let event = [
        field(1, b"account.opened"),
        field(2, &varint(2)),
        field(3, &varint(2 * 1_700)),
        field(4, b"{\"zone\":\"Europe/Prague\"}"),
        field(5, &varint(encoding)),
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
    with_checksum([vec![0xEF, b'J', 1], body].concat())
}

/// What a later release of this format may have written: a field more, which this one passes over.
async fn add_unknown_fields(storage: &impl Storage) {
    for entry in all(storage, Table::Meta).await {
        let mut frame = without_checksum(entry.value);
        frame.extend(field(99, b"later"));
        let put = Change::Put(Table::Meta, entry.key, with_checksum(frame));
        done(storage, vec![put]).await;
    }
}

fn without_checksum(mut frame: Vec<u8>) -> Vec<u8> {
    frame.truncate(frame.len() - 8);
    frame
}

pub(crate) fn with_checksum(mut frame: Vec<u8>) -> Vec<u8> {
    frame.extend(xxh64(&frame, 0).to_le_bytes());
    frame
}

pub(crate) fn field(tag: u64, bytes: &[u8]) -> Vec<u8> {
    [varint(tag), sized(bytes)].concat()
}

fn sized(bytes: &[u8]) -> Vec<u8> {
    [varint(bytes.len() as u64), bytes.to_vec()].concat()
}

pub(crate) fn varint(mut value: u64) -> Vec<u8> {
    let mut out = Vec::new();
    while value >= 128 {
        out.push((value & 127) as u8 | 128);
        value >>= 7;
    }
    out.push(value as u8);
    out
}
