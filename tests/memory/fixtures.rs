//! What was ever stored is read for ever.
//!
//! `tests/fixtures/format-N` holds a whole store of each format, table by table, and what it must
//! read as. To write those of the present one: `EVERFOLD_FIXTURES=write cargo test --test memory_store fixtures`.
#![expect(clippy::indexing_slicing, reason = "a wrong index fails the test, as it should")]

use std::collections::BTreeSet;

use everfold::position::Position;
use everfold::projection::{Projection, index_names};
use everfold::store::{
    Fold, Key, LoadQuery, MemoryDatabase, MemoryStorage, Query, RowQuery, Storage, Store, StoredRows, Table,
};
use everfold::stream::Version;
use serde_json::{Value, json};
use xxhash_rust::xxh64::xxh64;

use crate::contract::ingest::{BulkCommit, ingested};
use crate::contract::log::{any, appended, commit, events_of, over, read_all};
use crate::contract::{all, keys};
use crate::dump::Fixture;
use crate::history::assert_sound;
use crate::rebuilding::try_rebuild;
use crate::tally::{ByStream, assert_replayed};

#[test]
fn a_store_of_every_format_reads_as_it_did() {
    pollster::block_on(async {
        for format in 1..=everfold::FORMAT {
            let fixture = Fixture::of(&format!("format-{format}"));
            if format == everfold::FORMAT && Fixture::is_written() {
                let database = example().await;
                let answers = answers(&over(MemoryStorage::open(&database)).await).await;
                fixture.write(&database).await;
                fixture.write_answers(&answers);
            }

            let database = fixture.database().await;
            let store = over(MemoryStorage::open(&database)).await;

            assert_eq!(answers(&store).await, fixture.answers(), "format {format}");
            goes_on(&store, &database).await;
        }
    });
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

/// This release appends to it, rebuilds its rows, seals and merges it, and nothing is lost. A rebuild under way is taken
/// up if it says that it has the same indexes.
pub(crate) async fn goes_on<S: Storage>(store: &Store<S>, database: &MemoryDatabase) {
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
pub(crate) async fn example() -> MemoryDatabase {
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

/// Commits of so many events of one stream.
fn bulk_of_others<'a>(commits: &'a [(&'a str, u64)]) -> Vec<BulkCommit<'a>> {
    let commit = |(id, _): &'a (&'a str, u64)| BulkCommit {
        id,
        content: None,
        events: &[("bulk-300", 500)],
    };
    commits.iter().map(commit).collect()
}
