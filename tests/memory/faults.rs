//! What is promised holds whichever storage call fails, and whether or not it took effect.
//!
//! A scenario is run with its first storage call failing, then its second, and so on until one run is
//! over before the failure comes; then the same with the next way to fail.

use std::collections::BTreeMap;

use everfold::position::Position;
use everfold::projection::Projection;
use everfold::store::{
    Change, Fault, Faulty, Key, KeyRange, LoadQuery, MemoryDatabase, MemoryStorage, Order, Outcome, Read, RowWrite,
    Storage, Store, Table, When, Write, Written, check_export,
};
use everfold::stream::Version;
use serde_json::json;

use crate::contract::decider::{Counter, raise};
use crate::contract::ingest::{BulkCommit, try_ingest};
use crate::contract::log::{any, append, commit, events_of, over, read_all, try_append, try_open};
use crate::contract::{all, keys};
use crate::failing_calls::fail_each_call;
use crate::history::assert_sound;
use crate::rebuilding::{drop_rows, try_rebuild};
use crate::tally::{ByStream, assert_replayed};

#[test]
fn each_of_three_appends_is_failed_in_each_way() {
    let runs = pollster::block_on(fail_each_call(async |faults, fault| {
        let database = MemoryDatabase::new();
        let storage = Faulty::new(MemoryStorage::open(&database), faults);
        let mut stored = 0;

        for _ in 0..3 {
            let record = Change::Append {
                value: vec![1],
                expected: stored + 1,
            };
            let write = Write {
                changes: vec![record],
                ..Write::default()
            };
            match storage.write(write).await {
                Ok(written) => assert_eq!(written, Written::Done),
                Err(error) => assert_eq!(error, fault.error),
            }
            stored = records(&MemoryStorage::open(&database)).await;
        }

        assert!(stored >= 2, "one failure loses one record at most: {fault:?}");
    }));

    assert_eq!(runs, 18, "three calls in six ways");
}

/// A day in the life of a store: opened, written, sealed, loaded, projected, rebuilt, exported. After
/// each error the app does what an app does: it tries the commit again, with the same id.
#[test]
fn nothing_acknowledged_is_lost_or_doubled_whichever_call_of_a_store_fails() {
    let runs = pollster::block_on(fail_each_call(async |faults, fault| {
        let database = MemoryDatabase::new();
        let mut acknowledged = Vec::new();
        let faulty = || Faulty::new(MemoryStorage::open(&database), faults.clone());
        let store = match try_open(faulty()).await {
            Ok(store) => store,
            Err(_) => over(faulty()).await,
        };

        for number in 0..8_u64 {
            let id = format!("c{number}");
            let group = [
                commit(&id, &[("one", json!(number)), ("two", json!("any"))]),
                any(&format!("{id} alone"), "three"),
            ];
            let mut tries = 0;
            let outcomes = loop {
                tries += 1;
                match try_append(&store, &group).await {
                    Ok(progress) => break progress.outcomes,
                    Err(error) => assert!(tries < 3, "{error} after {fault:?}"),
                }
            };
            for outcome in outcomes {
                assert!(
                    matches!(outcome, Outcome::Appended(_) | Outcome::Duplicate(_)),
                    "{outcome:?} {fault:?}"
                );
            }
            acknowledged.extend([id.clone(), format!("{id} alone")]);
            if number % 3 == 2 {
                // Whether it seals is of no importance to anyone.
                let _ = store.seal().await;
                let _ = store.compact(2).await;
            }
            let _ = store
                .put_snapshot(store.merges(), "one", ("account", 1), Version(number + 1), "{}", 2)
                .await;
            project(&store, number).await;
        }
        let _ = store.load("one", LoadQuery::default()).await;
        let _ = rebuild(&store).await;
        let _ = store.catch_up().await;
        let file = export(&store).await;

        let fresh = over(MemoryStorage::open(&database)).await;
        let mut commits = BTreeMap::new();
        for event in read_all(&fresh).await {
            *commits.entry(event.commit).or_insert(0) += 1;
        }
        let expected = acknowledged
            .into_iter()
            .map(|id| (id.clone(), if id.contains("alone") { 1 } else { 2 }));
        assert_eq!(commits, expected.collect(), "{fault:?}");
        let loaded = fresh
            .load(
                "one",
                LoadQuery {
                    definition: Some(("account", 1)),
                    ..LoadQuery::default()
                },
            )
            .await;
        let loaded = loaded.expect("loads");
        let base = loaded.snapshot.map_or(0, |snapshot| snapshot.version.0);
        assert_eq!(base + events_of(&loaded.batch).len() as u64, 8, "{fault:?}");
        assert_sound(&fresh).await;
        check_rows(&fresh, fault).await;
        if let Some(file) = file {
            assert_eq!(check_export(&file).expect("is whole").commits, 16);
            let database = MemoryDatabase::new();
            if let Ok(copy) = try_open(Faulty::new(MemoryStorage::open(&database), faults.clone())).await {
                let imported = copy.import(&file, false).await;
                let position = over(MemoryStorage::open(&database)).await.position();
                assert!(position == Position(24) || imported.is_err(), "{fault:?}");
                assert!(
                    position == Position(24) || position == Position(0),
                    "{position} {fault:?}"
                );
            }
        }
    }));

    assert!(runs > 300, "{runs} runs");
}

/// Bulk with ids, half of it through segments: after each error it is simply given again.
#[test]
fn nothing_ingested_is_lost_or_doubled_whichever_call_fails() {
    let runs = pollster::block_on(fail_each_call(async |faults, fault| {
        let database = MemoryDatabase::new();
        let faulty = || Faulty::new(MemoryStorage::open(&database), faults.clone());
        let store = match try_open(faulty()).await {
            Ok(store) => store,
            Err(_) => over(faulty()).await,
        };
        let sizes = [700, 1, 600, 1_000, 2];
        let ids: Vec<_> = (0..sizes.len()).map(|number| format!("c{number}")).collect();
        let events: Vec<_> = sizes.iter().map(|size| [("one", *size), ("two", 1)]).collect();
        let commits: Vec<_> = ids
            .iter()
            .zip(&events)
            .map(|(id, events)| BulkCommit {
                id,
                content: Some(id),
                events: &events[..=usize::from(events[0].1 < 1_000)],
            })
            .collect();

        for part in [&commits[..2], &commits[..4], &commits] {
            let mut tries = 0;
            while let Err(error) = try_ingest(&store, part, 0).await {
                tries += 1;
                assert!(tries < 3, "{error} after {fault:?}");
                let _ = try_append(&store, &[any(&format!("between {tries}"), "two")]).await;
            }
        }

        let fresh = over(MemoryStorage::open(&database)).await;
        let mut found = BTreeMap::new();
        for event in read_all(&fresh).await {
            *found.entry(event.commit).or_insert(0) += 1;
        }
        found.retain(|commit, _| !commit.starts_with("between"));
        let expected = commits.iter().map(|commit| {
            let events: u64 = commit.events.iter().map(|(_, count)| count).sum();
            (commit.id.to_owned(), events)
        });
        assert_eq!(found, expected.collect(), "{fault:?}");
        assert_sound(&fresh).await;
        assert_no_block_without_segment(&database, fault).await;
    }));

    assert!(runs > 30, "{runs} runs");
}

/// Ten commands, after which a snapshot is due: an error says that nothing was written, unless the answer was lost.
#[test]
fn a_command_that_is_stored_is_no_error_whichever_call_fails() {
    let runs = pollster::block_on(fail_each_call(async |faults, fault| {
        let database = MemoryDatabase::new();
        let storage = || MemoryStorage::open(&database);
        let faulty = || Faulty::new(storage(), faults.clone());
        let mut store = match try_open(faulty()).await {
            Ok(store) => store,
            Err(_) => over(faulty()).await,
        };

        for stored in 0..10 {
            let id = format!("c{stored}");
            if raise(&store, &id, 99).await.is_err() {
                store = over(faulty()).await;
                let version = store.load_state::<Counter>("a").await.expect("loads").version;
                if fault.when == When::Before {
                    assert_eq!(version, Version(stored), "{fault:?}");
                }
                if version == Version(stored) {
                    raise(&store, &id, 99).await.expect("executes");
                }
            }
        }

        let state = over(storage()).await.load_state::<Counter>("a").await.expect("loads");
        assert_eq!((state.state, state.version), (10, Version(10)), "{fault:?}");
    }));

    assert!(runs > 60, "{runs} runs");
}

/// Small segments that become one, whichever call fails; after each error it is asked for again.
#[test]
fn nothing_is_lost_or_left_behind_whichever_call_of_a_merge_fails() {
    let runs = pollster::block_on(fail_each_call(async |faults, fault| {
        let database = in_small_segments().await;
        let storage = || MemoryStorage::open(&database);
        let before = read_all(&over(storage()).await).await;
        let faulty = || Faulty::new(storage(), faults.clone());
        let store = match try_open(faulty()).await {
            Ok(store) => store,
            Err(_) => over(faulty()).await,
        };
        let mut tries = 0;

        while !matches!(store.compact(2).await, Ok(false)) {
            tries += 1;
            assert!(tries < 4, "it fails once: {fault:?}");
            let fresh = over(storage()).await;
            assert_eq!(read_all(&fresh).await, before, "{fault:?}");
        }
        let after = [any("after", "s-0")];
        if try_append(&store, &after).await.is_err() {
            append(&store, &after).await;
        }

        let fresh = over(storage()).await;
        assert_eq!(read_all(&fresh).await[..before.len()], before, "{fault:?}");
        assert_eq!(fresh.stats().await.expect("counts").segments, 1, "{fault:?}");
        assert_sound(&fresh).await;
        assert_no_block_without_segment(&database, fault).await;
    }));

    assert!(runs >= 12, "{runs} runs");
}

/// A rebuild that puts rows aside, writes them and switches: after each error it is taken up, as after a
/// reload, and the old rows are read until then.
#[test]
fn rows_are_those_of_a_plain_replay_whichever_call_of_a_rebuild_fails() {
    let runs = pollster::block_on(fail_each_call(async |faults, fault| {
        let database = in_small_segments().await;
        let storage = || MemoryStorage::open(&database);
        let events = read_all(&over(storage()).await).await;
        over(storage()).await.view::<ByStream>().count().await.expect("folds");
        let mut tries = 0;

        loop {
            let opened = try_open(Faulty::new(storage(), faults.clone())).await;
            if let Ok(store) = opened
                && let Ok(switched) = try_rebuild::<ByStream, _>(&store, tries > 0, events.len() as u64).await
            {
                assert!(switched, "nobody else rebuilds: {fault:?}");
                break;
            }
            tries += 1;
            assert!(tries < 3, "it fails once: {fault:?}");
            assert_replayed::<ByStream, _>(&over(storage()).await, &database, &events).await;
        }

        let fresh = over(storage()).await;
        assert_replayed::<ByStream, _>(&fresh, &database, &events).await;
        let report = fresh
            .projection(ByStream::NAME, ByStream::VERSION, "")
            .await
            .expect("reads");
        for old in report.stale {
            drop_rows(&fresh, old.generation).await.expect("drops");
        }
        while !fresh.drop_orphans(2).await.expect("drops") {}
        let rows = all(&storage(), Table::Rows).await.len() as u64;
        let live = fresh.count_rows(report.state.generation).await.expect("counts");
        assert_eq!(live, Some(rows), "rows of no generation are left: {fault:?}");
    }));

    assert!(runs > 60, "{runs} runs");
}

/// Four small segments and a tail.
async fn in_small_segments() -> MemoryDatabase {
    let database = MemoryDatabase::new();
    let store = over(MemoryStorage::open(&database)).await;
    for number in 0..5 {
        for stream in ["s-0", "s-1", "t-0"] {
            append(&store, &[any(&format!("{number} {stream}"), stream)]).await;
        }
        if number < 4 {
            store.seal().await.expect("seals");
        }
    }
    database
}

/// The space of what was replaced has come back.
async fn assert_no_block_without_segment(database: &MemoryDatabase, fault: &Fault) {
    let storage = MemoryStorage::open(database);
    let segments = keys(&all(&storage, Table::Segments).await);
    let mut of_blocks: Vec<_> = keys(&all(&storage, Table::Blocks).await)
        .into_iter()
        .map(|key| match key {
            Key::List(mut parts) => (parts.swap_remove(0), parts.swap_remove(1)),
            key => panic!("{key:?} is no key of a block"),
        })
        .collect();
    of_blocks.dedup();

    let owners: Vec<_> = of_blocks.into_iter().map(|(first, _)| first).collect();
    assert_eq!(owners, segments, "{fault:?}");
}

/// Writes a row that is the checkpoint it was written with.
async fn project<S: Storage>(store: &Store<S>, number: u64) {
    let Ok(report) = store.projection("numbers", 1, "").await else {
        return;
    };
    write_number(store, report.state.generation, report.state.checkpoint.0, number + 1).await;
}

async fn write_number<S: Storage>(store: &Store<S>, generation: u64, from: u64, to: u64) {
    let text = json!({
        "name": "numbers", "version": 1, "generation": generation,
        "expectedCheckpoint": from, "checkpoint": to, "rows": [["row", to, [from], [to]]],
    })
    .to_string();
    let write: RowWrite<'_> = everfold::json::parse(&text).expect("is a write");
    let _ = store.write_rows(&write).await;
}

async fn rebuild<S: Storage>(store: &Store<S>) -> Option<bool> {
    let rebuild = store.begin_rebuild("numbers", 1, false, "").await.ok()?.state.rebuild?;
    write_number(store, rebuild.generation, 0, 100).await;
    let done = store.switch_generation("numbers", 1, rebuild.generation).await.ok()?;
    if done {
        let _ = store.drop_generation(1, 10).await;
    }
    Some(done)
}

/// Row and checkpoint say the same, whatever failed.
async fn check_rows<S: Storage>(store: &Store<S>, fault: &Fault) {
    let state = store.projection("numbers", 1, "").await.expect("reads").state;
    let rows = store
        .rows(state.generation, &["row".into()])
        .await
        .expect("reads")
        .expect("is there");
    let expected = match state.checkpoint.0 {
        0 => "[null]".to_owned(),
        checkpoint => format!("[{checkpoint}]"),
    };
    assert_eq!(rows, expected, "{fault:?}");
}

async fn export<S: Storage>(store: &Store<S>) -> Option<Vec<u8>> {
    let mut file = Vec::new();
    for part in 0.. {
        match store.export_part(part).await.ok()? {
            Some(bytes) => file.extend(bytes),
            None => break,
        }
    }
    Some(file)
}

async fn records(storage: &impl Storage) -> u64 {
    let all = Read::Scan {
        table: Table::Journal,
        range: KeyRange::ALL,
        order: Order::Ascending,
        limit: None,
    };
    let answers = storage.read(vec![all]).await.expect("reads");
    answers.iter().flatten().count() as u64
}
