//! Sentences about the log: what is appended is there, whole, once, in order, whatever was sealed.
#![expect(clippy::unwrap_used, reason = "what fails here fails the test, as it should")]

use std::collections::BTreeMap;

use everfold::commit::NewCommit;
use everfold::position::Position;
use everfold::store::{
    Batch, Clock, Direction, ExportContent, Foreign, LoadQuery, OpenOptions, Outcome, Progress, Query, Storage, Store,
    StoreError, StoreErrorKind, check_export,
};
use everfold::stream::{ExpectedVersion, Version};
use serde_json::{Value, json};

use super::Tabs;

/// Every sentence, for a runner to turn into tests.
macro_rules! log_sentences {
    ($run:ident) => {
        $run! { log:
            an_append_is_there_after_opening_again
            versions_are_dense_in_a_stream_and_positions_in_the_log
            a_commit_over_two_streams_is_whole_or_absent
            a_stale_expectation_is_a_conflict_with_both_versions
            two_tabs_race_and_no_update_is_lost
            a_record_that_lost_its_race_counts_for_nothing
            a_store_knows_its_end_before_it_reads_its_tail
            a_tab_is_told_which_streams_others_wrote
            a_tab_that_lags_looks_before_it_says_no
            an_id_that_comes_again_gets_the_first_receipt
            an_id_is_known_after_sealing_and_in_another_tab
            the_journal_never_holds_more_than_256_records
            sealing_changes_nothing_that_is_read
            sealing_between_two_pages_changes_nothing_that_is_read
            merging_changes_nothing_that_is_read_and_leaves_few_segments
            merging_between_two_pages_changes_nothing_that_is_read
            a_tab_with_old_directories_reads_appends_seals_and_merges
            what_an_append_knew_is_forgotten_when_directories_change_under_it
            two_tabs_may_seal_at_the_same_time
            every_filter_gives_what_a_plain_scan_gives
            streams_are_divided_into_parts_that_hold_each_event_once
            a_page_ends_at_its_limit_and_the_next_goes_on
            a_stream_is_loaded_as_of_a_version_and_of_a_time
            a_snapshot_serves_only_its_definition_and_only_what_it_covers
            the_newest_snapshots_are_kept
            streams_are_listed_in_order_page_by_page
            a_large_commit_is_refused_and_the_next_size_below_is_not
            an_exported_log_is_imported_whole
            an_export_taken_while_others_write_ends_where_it_began
            a_damaged_import_changes_nothing
            a_merged_import_adds_what_is_new_once
            a_sound_log_verifies
        }
    };
}
pub(crate) use log_sentences;

/// A commit as JSON: one event for each pair of stream and expectation.
pub(crate) fn commit(id: &str, streams: &[(&str, Value)]) -> Value {
    let streams: Vec<Value> = streams
        .iter()
        .map(|(stream, expected)| stream_write(stream, expected, 1))
        .collect();
    commit_of(id, &streams)
}

fn commit_of(id: &str, streams: &[Value]) -> Value {
    json!({
        "commitId": id, "known": true, "recordedAt": 1_000, "mode": "fact", "content": id, "streams": streams,
    })
}

fn stream_write(stream: &str, expected: &Value, events: u64) -> Value {
    let events: Vec<Value> = (0..events)
        .map(|number| {
            json!({
                "type": if number % 2 == 0 { "happened" } else { "changed" },
                "schemaVersion": 1, "occurredAt": 1_000, "data": { "number": number },
            })
        })
        .collect();
    json!({ "streamId": stream, "expectedVersion": expected, "events": events })
}

/// One event of `stream`, whatever its version.
pub(crate) fn any(id: &str, stream: &str) -> Value {
    commit(id, &[(stream, json!("any"))])
}

pub(crate) async fn open<T: Tabs>(tabs: &T) -> Store<T::Storage> {
    over(tabs.open().await).await
}

pub(crate) async fn over<S: Storage>(storage: S) -> Store<S> {
    try_open(storage).await.expect("opens")
}

pub(crate) async fn try_open<S: Storage>(storage: S) -> Result<Store<S>, StoreError> {
    let options = OpenOptions {
        replica: "replica".to_owned(),
        now: 1,
        durability: everfold::store::Durability::Relaxed,
    };
    Store::open(storage, options).await
}

pub(crate) async fn try_append<S: Storage>(store: &Store<S>, group: &[Value]) -> Result<Progress, StoreError> {
    try_append_decided(store, store.merges(), group).await
}

/// Appends what was decided when the store said `merges`.
pub(crate) async fn try_append_decided<S: Storage>(
    store: &Store<S>,
    merges: u64,
    group: &[Value],
) -> Result<Progress, StoreError> {
    let text = serde_json::to_string(group).expect("is JSON");
    let group: Vec<NewCommit<'_>> = everfold::json::parse(&text).expect("is a group");
    store.append_decided(merges, &group).await
}

pub(crate) async fn append<S: Storage>(store: &Store<S>, group: &[Value]) -> Vec<Outcome> {
    try_append(store, group).await.expect("appends").outcomes
}

/// Appends commits that must succeed.
pub(crate) async fn appended<S: Storage>(store: &Store<S>, group: &[Value]) {
    for outcome in append(store, group).await {
        assert!(matches!(outcome, Outcome::Appended(_)), "{outcome:?}");
    }
}

/// An event as read: position, stream, version, type, times, commit id, data.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Seen {
    pub(crate) position: u64,
    pub(crate) stream: String,
    pub(crate) version: u64,
    pub(crate) event_type: String,
    pub(crate) occurred_at: i64,
    pub(crate) recorded_at: i64,
    pub(crate) commit: String,
    pub(crate) data: Value,
}

/// The events of a batch.
pub(crate) fn events_of(batch: &Batch) -> Vec<Seen> {
    let document: Value = serde_json::from_str(&batch.text).expect("is JSON");
    let text = |list: &str, number: f64| document[list][number as usize].as_str().unwrap().to_owned();
    let data = document["data"].as_array().unwrap();
    assert_eq!(data.len(), batch.events());
    batch
        .numbers
        .chunks(8)
        .zip(data)
        .map(|(numbers, data)| {
            let commit = &document["commits"][numbers[5] as usize];
            Seen {
                position: numbers[3] as u64,
                stream: text("streams", numbers[1]),
                version: numbers[2] as u64,
                event_type: text("types", numbers[0]),
                occurred_at: numbers[4] as i64,
                recorded_at: commit[2].as_i64().unwrap(),
                commit: commit[0].as_str().unwrap().to_owned(),
                data: data.clone(),
            }
        })
        .collect()
}

/// Everything that passes, page after page; `between` runs between two pages.
pub(crate) async fn read_with<S: Storage>(
    store: &Store<S>,
    mut query: Query<'_>,
    between: impl AsyncFn(),
) -> Vec<Seen> {
    let mut all = Vec::new();
    loop {
        let page = store.read(&query).await.expect("reads");
        all.extend(events_of(&page.batch));
        let Some(next) = page.next else { return all };
        match query.direction {
            Direction::Forward => query.after_position = Some(next),
            Direction::Backward => query.until_position = Some(next),
        }
        between().await;
    }
}

pub(crate) async fn read<S: Storage>(store: &Store<S>, query: Query<'_>) -> Vec<Seen> {
    read_with(store, query, async || ()).await
}

pub(crate) async fn read_all<S: Storage>(store: &Store<S>) -> Vec<Seen> {
    read(store, Query::default()).await
}

async fn loaded<S: Storage>(store: &Store<S>, stream: &str, query: LoadQuery<'_>) -> (Vec<u64>, u64, Option<u64>) {
    let loaded = store.load(stream, query).await.expect("loads");
    let versions = events_of(&loaded.batch).iter().map(|event| event.version).collect();
    (
        versions,
        loaded.version.0,
        loaded.snapshot.map(|snapshot| snapshot.version.0),
    )
}

/// A log with some streams of different lengths, times and types, in `commits` commits.
async fn fill<S: Storage>(store: &Store<S>, commits: u64) {
    for number in 0..commits {
        let mut commit = commit_of(
            &format!("c{number}"),
            &[stream_write(
                &format!("account-{}", number % 7),
                &json!("any"),
                1 + number % 3,
            )],
        );
        commit["recordedAt"] = json!(number * 10);
        for event in commit["streams"][0]["events"].as_array_mut().unwrap() {
            event["occurredAt"] = json!((number * 37) % 100);
        }
        if number % 5 == 0 {
            commit["streams"]
                .as_array_mut()
                .unwrap()
                .push(stream_write("bank", &json!("any"), 1));
        }
        appended(store, &[commit]).await;
    }
}

pub(crate) async fn an_append_is_there_after_opening_again(tabs: &impl Tabs) {
    let store = open(tabs).await;
    appended(&store, &[any("a", "account-1")]).await;
    store.close();

    let store = open(tabs).await;

    let all = read_all(&store).await;
    assert_eq!(all.len(), 1);
    assert_eq!(
        (all[0].position, all[0].version, &*all[0].stream, &*all[0].commit),
        (1, 1, "account-1", "a")
    );
}

pub(crate) async fn versions_are_dense_in_a_stream_and_positions_in_the_log(tabs: &impl Tabs) {
    let store = open(tabs).await;

    fill(&store, 60).await;

    let mut heads = BTreeMap::new();
    for (place, event) in read_all(&store).await.into_iter().enumerate() {
        assert_eq!(event.position, place as u64 + 1);
        let head = heads.entry(event.stream).or_insert(0);
        *head += 1;
        assert_eq!(event.version, *head);
    }
}

pub(crate) async fn a_commit_over_two_streams_is_whole_or_absent(tabs: &impl Tabs) {
    let store = open(tabs).await;
    appended(&store, &[any("a", "one")]).await;

    let outcomes = append(
        &store,
        &[
            commit("b", &[("one", json!(1)), ("two", json!(5))]),
            commit("c", &[("one", json!(1)), ("two", json!(0))]),
        ],
    )
    .await;

    // The second names streams that the first failed on: it might have been decided on its outcome.
    assert!(
        matches!(outcomes[..], [Outcome::Conflict(_), Outcome::Stale { .. }]),
        "{outcomes:?}"
    );
    appended(&store, &[commit("c", &[("one", json!(1)), ("two", json!(0))])]).await;
    let streams: Vec<_> = read_all(&store)
        .await
        .into_iter()
        .map(|event| (event.stream, event.commit))
        .collect();
    let pair = |stream: &str, commit: &str| (stream.to_owned(), commit.to_owned());
    assert_eq!(streams, [pair("one", "a"), pair("one", "c"), pair("two", "c")]);
}

pub(crate) async fn a_stale_expectation_is_a_conflict_with_both_versions(tabs: &impl Tabs) {
    let store = open(tabs).await;
    appended(&store, &[any("a", "one"), any("b", "one")]).await;

    let outcomes = append(&store, &[commit("c", &[("one", json!(1))])]).await;

    let [Outcome::Conflict(conflict)] = &outcomes[..] else {
        panic!("{outcomes:?}")
    };
    assert_eq!(
        (conflict.expected, conflict.actual),
        (ExpectedVersion::Exact(Version(1)), Version(2))
    );
}

pub(crate) async fn two_tabs_race_and_no_update_is_lost(tabs: &impl Tabs) {
    let (left, right) = (open(tabs).await, open(tabs).await);

    for number in 0..20 {
        appended(&left, &[any(&format!("left {number}"), "one")]).await;
        appended(&right, &[any(&format!("right {number}"), "one")]).await;
    }

    left.catch_up().await.expect("catches up");
    assert_eq!(read_all(&left).await, read_all(&right).await);
    let versions: Vec<_> = read_all(&left).await.iter().map(|event| event.version).collect();
    assert_eq!(versions, (1..=40).collect::<Vec<_>>());
}

pub(crate) async fn a_record_that_lost_its_race_counts_for_nothing(tabs: &impl Tabs) {
    let (left, right) = (open(tabs).await, open(tabs).await);
    appended(&left, &[any("a", "one")]).await;

    // It lags: its first try gets the second number, which is not the one that it was written for.
    appended(&right, &[any("b", "one")]).await;

    assert_eq!(right.journal_records(), 3);
    left.catch_up().await.expect("catches up");
    let opened = open(tabs).await;
    let expected = read_all(&right).await;
    assert_eq!(expected.iter().map(|event| event.version).collect::<Vec<_>>(), [1, 2]);
    for store in [&left, &opened] {
        assert_eq!(read_all(store).await, expected);
    }
    assert!(opened.seal().await.expect("seals"));
    assert_eq!(read_all(&open(tabs).await).await, expected);
    assert_eq!(opened.journal_records(), 0);
    let report = opened.verify(Position(0)).await.expect("verifies");
    assert_eq!(report.problems, []);
}

pub(crate) async fn a_store_knows_its_end_before_it_reads_its_tail(tabs: &impl Tabs) {
    let writer = open(tabs).await;
    appended(&writer, &[any("a", "one"), any("b", "two")]).await;
    let opened = open(tabs).await;
    let late = open(tabs).await;
    assert_eq!((opened.position(), opened.journal_records()), (Position(2), 1));
    appended(&writer, &[any("c", "three")]).await;

    let progress = opened.catch_up().await.expect("catches up");

    // What was there at the start is no news.
    let streams = std::iter::once("three".to_owned()).collect();
    assert_eq!(
        (progress.position, progress.foreign),
        (Position(3), Foreign::Streams(streams))
    );
    assert_eq!(read_all(&late).await, read_all(&writer).await);
    assert_eq!(
        append(&open(tabs).await, &[any("a", "one")]).await,
        append(&writer, &[any("a", "one")]).await
    );
}

pub(crate) async fn a_tab_is_told_which_streams_others_wrote(tabs: &impl Tabs) {
    let (left, right) = (open(tabs).await, open(tabs).await);
    appended(&left, &[any("a", "one"), any("b", "two")]).await;

    let progress = try_append(&right, &[any("c", "three")]).await.expect("appends");

    let streams = ["one", "two"].map(str::to_owned).into_iter().collect();
    assert_eq!(progress.foreign, Foreign::Streams(streams));
    assert_eq!(progress.position, Position(3));
    assert_eq!(right.catch_up().await.expect("catches up").foreign, Foreign::default());
}

/// Found by a law: a tab that had not heard of the others' commits said 'conflict' to an expectation
/// that was right, and to an id that was known.
pub(crate) async fn a_tab_that_lags_looks_before_it_says_no(tabs: &impl Tabs) {
    let (left, right) = (open(tabs).await, open(tabs).await);
    appended(&left, &[any("a", "one"), any("b", "one")]).await;

    appended(&right, &[commit("c", &[("one", json!(2))])]).await;
    appended(&left, &[any("d", "one")]).await;
    let mut used = commit("d", &[("one", json!(9))]);
    used["content"] = json!("other");

    assert_eq!(append(&right, &[used]).await, [Outcome::Reused]);
}

pub(crate) async fn an_id_that_comes_again_gets_the_first_receipt(tabs: &impl Tabs) {
    let store = open(tabs).await;
    let first = append(&store, &[any("a", "one")]).await;
    appended(&store, &[any("b", "one")]).await;

    let again = append(&store, &[any("a", "one")]).await;

    let (Outcome::Appended(first), Outcome::Duplicate(again)) = (&first[0], &again[0]) else {
        panic!("{again:?}")
    };
    assert_eq!(first, again);
    let mut other = any("a", "one");
    other["content"] = json!("other");
    assert_eq!(append(&store, &[other]).await, [Outcome::Reused]);
    assert_eq!(read_all(&store).await.len(), 2);
}

pub(crate) async fn an_id_is_known_after_sealing_and_in_another_tab(tabs: &impl Tabs) {
    let store = open(tabs).await;
    fill(&store, 30).await;
    store.seal().await.expect("seals");
    let other = open(tabs).await;

    let outcomes = append(&other, &[any("c7", "new"), any("new", "new")]).await;

    assert!(
        matches!(outcomes[..], [Outcome::Duplicate(_), Outcome::Appended(_)]),
        "{outcomes:?}"
    );
    let receipt = other.find_commit("c7").await.expect("finds").expect("is known");
    assert_eq!(receipt.streams, [("account-0".to_owned(), Version(2), Version(3))]);
    assert!(other.find_commit("c99").await.expect("finds").is_none());
}

pub(crate) async fn the_journal_never_holds_more_than_256_records(tabs: &impl Tabs) {
    let store = open(tabs).await;

    for number in 0..600 {
        appended(&store, &[any(&number.to_string(), &format!("account-{}", number % 9))]).await;
        assert!(store.journal_records() <= 256);
    }

    let store = open(tabs).await;
    assert_eq!(store.journal_records(), 600 - 2 * 256);
    assert_eq!(store.stats().await.expect("counts").segments, 2);
    assert_eq!(store.stats().await.expect("counts").streams, 9);
    assert_eq!(read_all(&store).await.len(), 600);
}

pub(crate) async fn sealing_changes_nothing_that_is_read(tabs: &impl Tabs) {
    let store = open(tabs).await;
    fill(&store, 40).await;
    let before = read_all(&store).await;

    store.seal().await.expect("seals");
    assert_eq!(read_all(&store).await, before);
    fill_more(&store).await;
    let after = read_all(&store).await;

    assert_eq!(after[..before.len()], before);
    assert_eq!(read_all(&open(tabs).await).await, after);
    for stream in ["account-0", "account-6", "bank"] {
        let own: Vec<_> = after.iter().filter(|event| event.stream == stream).cloned().collect();
        let loaded = store.load(stream, LoadQuery::default()).await.expect("loads");
        assert_eq!(events_of(&loaded.batch), own);
        assert_eq!(loaded.version.0, own.len() as u64);
    }
}

async fn fill_more<S: Storage>(store: &Store<S>) {
    for number in 0..10 {
        appended(store, &[any(&format!("more {number}"), "bank")]).await;
    }
}

pub(crate) async fn sealing_between_two_pages_changes_nothing_that_is_read(tabs: &impl Tabs) {
    for direction in [Direction::Forward, Direction::Backward] {
        let (reader, writer) = (open(tabs).await, open(tabs).await);
        let sealed = reader.position().0;
        for number in 0..30 {
            appended(&writer, &[any(&format!("{direction:?} {number}"), "one")]).await;
        }
        reader.catch_up().await.expect("catches up");
        let query = || Query {
            limit: Some(7),
            direction,
            after_position: Some(Position(sealed)),
            until_position: Some(reader.position()),
            ..Query::default()
        };
        let plain = read(&reader, query()).await;

        let sealing = read_with(&reader, query(), async || {
            writer.seal().await.expect("seals");
            appended(
                &writer,
                &[any(&format!("{direction:?} between {}", writer.position().0), "one")],
            )
            .await;
            reader.catch_up().await.expect("catches up");
        })
        .await;

        assert_eq!(plain.len(), 30);
        assert_eq!(sealing, plain);
    }
}

/// Five small segments and a tail.
async fn in_five_segments<S: Storage>(store: &Store<S>) {
    for number in 0..5 {
        for commit in 0..6 {
            let id = format!("{number} {commit}");
            appended(
                store,
                &[
                    any(&id, &format!("account-{commit}")),
                    any(&format!("{id} bank"), "bank"),
                ],
            )
            .await;
        }
        store.seal().await.expect("seals");
    }
    fill_more(store).await;
}

async fn compacted<S: Storage>(store: &Store<S>) {
    while store.compact(2).await.expect("compacts") {}
}

pub(crate) async fn merging_changes_nothing_that_is_read_and_leaves_few_segments(tabs: &impl Tabs) {
    let store = open(tabs).await;
    in_five_segments(&store).await;
    let before = read_all(&store).await;
    let bank = loaded(&store, "bank", LoadQuery::default()).await;

    assert!(!store.compact(6).await.expect("finds no run of six"));
    compacted(&store).await;

    for store in [store, open(tabs).await] {
        assert_eq!(read_all(&store).await, before);
        assert_eq!(loaded(&store, "bank", LoadQuery::default()).await, bank);
        assert_eq!(store.stats().await.expect("counts").segments, 1);
        assert!(store.find_commit("2 3").await.expect("finds").is_some());
        assert_eq!(store.verify(Position(0)).await.expect("verifies").problems, []);
        assert_eq!(store.streams("account-", "", 99).await.expect("lists").len(), 6);
    }
}

pub(crate) async fn merging_between_two_pages_changes_nothing_that_is_read(tabs: &impl Tabs) {
    for direction in [Direction::Forward, Direction::Backward] {
        let (reader, writer) = (open(tabs).await, open(tabs).await);
        let after = Some(reader.position());
        for number in 0..5 {
            for commit in 0..4 {
                appended(&writer, &[any(&format!("{direction:?} {number} {commit}"), "one")]).await;
            }
            writer.seal().await.expect("seals");
        }
        reader.catch_up().await.expect("catches up");
        let query = || Query {
            limit: Some(3),
            direction,
            after_position: after,
            ..Query::default()
        };
        let plain = read(&open(tabs).await, query()).await;

        let merging = read_with(&reader, query(), async || {
            writer.compact(2).await.expect("compacts");
        })
        .await;

        assert_eq!(merging, plain);
    }
}

/// A tab that was frozen while others sealed and merged.
pub(crate) async fn a_tab_with_old_directories_reads_appends_seals_and_merges(tabs: &impl Tabs) {
    let frozen = open(tabs).await;
    in_five_segments(&frozen).await;
    let other = open(tabs).await;
    compacted(&other).await;
    appended(&other, &[any("later", "bank")]).await;
    other.seal().await.expect("seals");

    assert_eq!(read_all(&frozen).await.len(), 71);
    appended(&frozen, &[any("frozen", "bank")]).await;
    compacted(&frozen).await;
    frozen.seal().await.expect("seals");
    compacted(&frozen).await;

    other.catch_up().await.expect("catches up");
    assert_eq!(read_all(&frozen).await, read_all(&other).await);
    assert_eq!(frozen.stats().await.expect("counts").segments, 1);
}

/// Found by a law: planning knew the version of one stream, found a block of another one gone, read the
/// directories again and wrote at the new end with the old version: two events were version 2.
pub(crate) async fn what_an_append_knew_is_forgotten_when_directories_change_under_it(tabs: &impl Tabs) {
    let writer = open(tabs).await;
    for id in ["sealed", "too"] {
        appended(&writer, &[any(id, id)]).await;
        writer.seal().await.expect("seals");
    }
    appended(&writer, &[any("x1", "x")]).await;
    let lagging = open(tabs).await;
    writer.seal().await.expect("seals");
    compacted(&writer).await;
    appended(&writer, &[any("x2", "x")]).await;

    appended(
        &lagging,
        &[commit("both", &[("x", json!("any")), ("sealed", json!("any"))])],
    )
    .await;

    let versions: Vec<_> = read_all(&lagging)
        .await
        .into_iter()
        .filter(|event| event.stream == "x")
        .map(|event| event.version)
        .collect();
    assert_eq!(versions, [1, 2, 3]);
}

pub(crate) async fn two_tabs_may_seal_at_the_same_time(tabs: &impl Tabs) {
    let (left, right) = (open(tabs).await, open(tabs).await);
    fill(&left, 20).await;
    right.catch_up().await.expect("catches up");

    assert!(left.seal().await.expect("seals"));
    right.seal().await.expect("finds nothing to seal");
    appended(&right, &[any("after", "bank")]).await;

    left.catch_up().await.expect("catches up");
    assert_eq!(read_all(&left).await, read_all(&right).await);
    assert_eq!(left.stats().await.expect("counts").segments, 1);
}

/// Whether an event passes a filter.
type Test = Box<dyn Fn(&Seen) -> bool>;

pub(crate) async fn every_filter_gives_what_a_plain_scan_gives(tabs: &impl Tabs) {
    let store = open(tabs).await;
    fill(&store, 60).await;
    store.seal().await.expect("seals");
    fill_more(&store).await;
    let all = read_all(&store).await;
    let set = |names: &[&str]| Some(names.iter().map(|name| (*name).to_owned()).collect());

    let cases: Vec<(Query<'_>, Test)> = vec![
        (
            Query {
                stream_id: Some("account-3".into()),
                ..Query::default()
            },
            Box::new(|e| e.stream == "account-3"),
        ),
        (
            Query {
                stream_id: Some("account-3".into()),
                from_version: Some(Version(3)),
                ..Query::default()
            },
            Box::new(|e| e.stream == "account-3" && e.version >= 3),
        ),
        (
            Query {
                stream_id: Some("bank".into()),
                from_version: Some(Version(9)),
                ..Query::default()
            },
            Box::new(|e| e.stream == "bank" && e.version >= 9),
        ),
        (
            Query {
                prefix: Some("account-".into()),
                ..Query::default()
            },
            Box::new(|e| e.stream.starts_with("account-")),
        ),
        (
            Query {
                streams: set(&["account-1", "bank", "nobody"]),
                ..Query::default()
            },
            Box::new(|e| e.stream == "account-1" || e.stream == "bank"),
        ),
        (
            Query {
                types: set(&["changed"]),
                ..Query::default()
            },
            Box::new(|e| e.event_type == "changed"),
        ),
        (
            Query {
                types: set(&["unknown"]),
                ..Query::default()
            },
            Box::new(|_| false),
        ),
        (
            Query {
                from: Some(20),
                until: Some(60),
                ..Query::default()
            },
            Box::new(|e| (20..=60).contains(&e.occurred_at)),
        ),
        (
            Query {
                from: Some(100),
                until: Some(300),
                clock: Clock::Recorded,
                ..Query::default()
            },
            Box::new(|e| (100..=300).contains(&e.recorded_at)),
        ),
        (
            Query {
                after_position: Some(Position(17)),
                until_position: Some(Position(95)),
                ..Query::default()
            },
            Box::new(|e| e.position > 17 && e.position <= 95),
        ),
    ];
    for (query, passes) in cases {
        let expected: Vec<_> = all.iter().filter(|event| passes(event)).cloned().collect();
        assert_eq!(read(&store, query.clone()).await, expected, "{query:?}");

        let backward: Vec<_> = expected.iter().rev().cloned().collect();
        let query = Query {
            direction: Direction::Backward,
            limit: Some(3),
            ..query
        };
        assert_eq!(read(&store, query.clone()).await, backward, "{query:?}");
    }
}

pub(crate) async fn streams_are_divided_into_parts_that_hold_each_event_once(tabs: &impl Tabs) {
    let store = open(tabs).await;
    // Incompressible, so that a segment has many blocks.
    for number in 0..40_u64 {
        let mut large = commit(
            &format!("large {number}"),
            &[(&format!("account-{}", number % 13), json!("any"))],
        );
        large["streams"][0]["events"][0]["data"] = json!(noise(number, 3_000));
        appended(&store, &[large]).await;
    }
    store.seal().await.expect("seals");
    appended(
        &store,
        &[any("tail", "account-12"), any("first", "a"), any("last", "z")],
    )
    .await;
    let mut all = read_all(&store).await;
    all.sort_by_key(|event| event.position);

    for count in 1..=9 {
        let bounds = store.stream_bounds("", count);
        assert!(bounds.len() < count && bounds.is_sorted());
        assert_eq!(bounds.is_empty(), count == 1);
        let mut parts = Vec::new();
        for part in 0..=bounds.len() {
            let query = Query {
                first_stream: part
                    .checked_sub(1)
                    .and_then(|before| bounds.get(before))
                    .map(|id| id.as_str().into()),
                before_stream: bounds.get(part).map(|bound| bound.as_str().into()),
                ..Query::default()
            };
            parts.extend(read(&store, query).await);
        }
        parts.sort_by_key(|event| event.position);
        assert_eq!(parts, all, "{count} parts");
    }
}

pub(crate) fn noise(seed: u64, length: usize) -> String {
    let mut state = seed.wrapping_mul(2).wrapping_add(1);
    let step = |state: &mut u64| {
        *state ^= *state << 13;
        *state ^= *state >> 7;
        *state ^= *state << 17;
        char::from(b'a' + (*state % 26) as u8)
    };
    (0..length).map(|_| step(&mut state)).collect()
}

pub(crate) async fn a_page_ends_at_its_limit_and_the_next_goes_on(tabs: &impl Tabs) {
    let store = open(tabs).await;
    fill(&store, 20).await;

    let page = store
        .read(&Query {
            limit: Some(5),
            ..Query::default()
        })
        .await
        .expect("reads");

    assert_eq!(page.batch.events(), 5);
    assert_eq!(page.next, Some(Position(5)));
    let rest = read(
        &store,
        Query {
            after_position: page.next,
            ..Query::default()
        },
    )
    .await;
    assert_eq!(rest.first().map(|event| event.position), Some(6));
}

pub(crate) async fn a_stream_is_loaded_as_of_a_version_and_of_a_time(tabs: &impl Tabs) {
    let store = open(tabs).await;
    for (number, time) in [10, 30, 20, 40].into_iter().enumerate() {
        let mut commit = any(&number.to_string(), "one");
        commit["streams"][0]["events"][0]["occurredAt"] = json!(time);
        commit["recordedAt"] = json!(number);
        appended(&store, &[commit]).await;
        if number == 1 {
            store.seal().await.expect("seals");
        }
    }

    let at = |time, clock| LoadQuery {
        at: Some((time, clock)),
        ..LoadQuery::default()
    };
    let at_version = LoadQuery {
        at_version: Some(Version(3)),
        ..LoadQuery::default()
    };
    assert_eq!(loaded(&store, "one", at_version).await, (vec![1, 2, 3], 4, None));
    assert_eq!(
        loaded(&store, "one", at(25, Clock::Occurred)).await,
        (vec![1, 3], 4, None)
    );
    assert_eq!(
        loaded(&store, "one", at(1, Clock::Recorded)).await,
        (vec![1, 2], 4, None)
    );
    assert_eq!(loaded(&store, "nobody", LoadQuery::default()).await, (vec![], 0, None));
}

pub(crate) async fn a_snapshot_serves_only_its_definition_and_only_what_it_covers(tabs: &impl Tabs) {
    let store = open(tabs).await;
    for (number, time) in [10, 30, 20, 40, 50].into_iter().enumerate() {
        let mut commit = any(&number.to_string(), "one");
        commit["streams"][0]["events"][0]["occurredAt"] = json!(time);
        appended(&store, &[commit]).await;
    }
    store
        .put_snapshot("one", ("account", 1), Version(3), "{\"balance\":3}", 2)
        .await
        .expect("keeps");

    let query = LoadQuery {
        definition: Some(("account", 1)),
        ..LoadQuery::default()
    };
    assert_eq!(loaded(&store, "one", query).await, (vec![4, 5], 5, Some(3)));
    let newer = LoadQuery {
        definition: Some(("account", 2)),
        ..LoadQuery::default()
    };
    assert_eq!(loaded(&store, "one", newer).await, (vec![1, 2, 3, 4, 5], 5, None));
    let before = LoadQuery {
        at_version: Some(Version(2)),
        ..query
    };
    assert_eq!(loaded(&store, "one", before).await, (vec![1, 2], 5, None));
    // The snapshot covers an event of time 30.
    let at = LoadQuery {
        at: Some((25, Clock::Occurred)),
        ..query
    };
    assert_eq!(loaded(&store, "one", at).await, (vec![1, 3], 5, None));
    let later = LoadQuery {
        at: Some((30, Clock::Occurred)),
        ..query
    };
    assert_eq!(loaded(&store, "one", later).await, (vec![], 5, Some(3)));
}

pub(crate) async fn the_newest_snapshots_are_kept(tabs: &impl Tabs) {
    let store = open(tabs).await;
    for number in 0..6 {
        appended(&store, &[any(&number.to_string(), "one")]).await;
    }

    for version in 1..=5 {
        store
            .put_snapshot("one", ("account", 1), Version(version), "{}", 2)
            .await
            .expect("keeps");
    }

    assert_eq!(store.stats().await.expect("counts").snapshots, 2);
    let query = LoadQuery {
        definition: Some(("account", 1)),
        at_version: Some(Version(4)),
        ..LoadQuery::default()
    };
    assert_eq!(loaded(&store, "one", query).await, (vec![], 6, Some(4)));
    store.drop_snapshots("one").await.expect("drops");
    assert_eq!(store.stats().await.expect("counts").snapshots, 0);
}

pub(crate) async fn streams_are_listed_in_order_page_by_page(tabs: &impl Tabs) {
    let store = open(tabs).await;
    for number in 0..30 {
        appended(
            &store,
            &[any(&number.to_string(), &format!("account-{:02}", (number * 7) % 20))],
        )
        .await;
        if number % 8 == 0 {
            store.seal().await.expect("seals");
        }
    }
    appended(&store, &[any("other", "accountant-1"), any("another", "aa")]).await;

    let mut all = Vec::new();
    while let ids = store
        .streams("account-", all.last().map_or("", String::as_str), 6)
        .await
        .expect("lists")
        && !ids.is_empty()
    {
        all.extend(ids);
    }

    assert_eq!(
        all,
        (0..20).map(|number| format!("account-{number:02}")).collect::<Vec<_>>()
    );
}

pub(crate) async fn a_large_commit_is_refused_and_the_next_size_below_is_not(tabs: &impl Tabs) {
    let store = open(tabs).await;
    let sized = |id: &str, bytes: usize| {
        let mut commit = any(id, "one");
        commit["streams"][0]["events"][0]["data"] = json!("x".repeat(bytes));
        commit
    };
    let events = |id: &str, count| commit_of(id, &[stream_write("one", &json!("any"), count)]);

    let outcomes = append(
        &store,
        &[
            events("a", 1_000),
            events("b", 1_001),
            sized("c", (256 << 10) - 100),
            sized("d", 256 << 10),
        ],
    )
    .await;

    assert!(
        matches!(
            outcomes[..],
            [
                Outcome::Appended(_),
                Outcome::Invalid(_),
                Outcome::Appended(_),
                Outcome::Invalid(_)
            ]
        ),
        "{outcomes:?}"
    );
}

async fn export<S: Storage>(store: &Store<S>) -> Vec<u8> {
    let mut file = Vec::new();
    let mut part = 0;
    while let Some(bytes) = store.export_part(part).await.expect("exports") {
        file.extend(bytes);
        part += 1;
    }
    file
}

pub(crate) async fn an_exported_log_is_imported_whole(tabs: &impl Tabs) {
    let store = over(everfold::store::MemoryStorage::open(
        &everfold::store::MemoryDatabase::new(),
    ))
    .await;
    fill(&store, 50).await;
    store.seal().await.expect("seals");
    fill_more(&store).await;
    let file = export(&store).await;

    let copy = open(tabs).await;
    copy.import(&file, false).await.expect("imports");

    assert_eq!(read_all(&copy).await, read_all(&store).await);
    assert_eq!(read_all(&open(tabs).await).await, read_all(&store).await);
    assert!(copy.find_commit("c7").await.expect("finds").is_some());
    assert_eq!(
        copy.import(&file, false).await,
        Err(StoreErrorKind::NotEmpty(store.position().0).into())
    );
    appended(&copy, &[any("new", "bank")]).await;
}

pub(crate) async fn an_export_taken_while_others_write_ends_where_it_began(tabs: &impl Tabs) {
    let store = open(tabs).await;
    fill(&store, 20).await;
    store.seal().await.expect("seals");
    fill_more(&store).await;
    let before = read_all(&store).await;

    let mut file = store.export_part(0).await.expect("exports").expect("has a header");
    fill_more_under(&store, "late").await;
    store.seal().await.expect("seals");
    for part in 1.. {
        match store.export_part(part).await.expect("exports") {
            Some(bytes) => file.extend(bytes),
            None => break,
        }
    }

    let content = check_export(&file).expect("is whole");
    assert_eq!(
        content,
        ExportContent {
            events: before.len() as u64,
            commits: 30
        }
    );
    let copy = over(everfold::store::MemoryStorage::open(
        &everfold::store::MemoryDatabase::new(),
    ))
    .await;
    copy.import(&file, false).await.expect("imports");
    assert_eq!(read_all(&copy).await, before);
}

async fn fill_more_under<S: Storage>(store: &Store<S>, prefix: &str) {
    for number in 0..5 {
        appended(store, &[any(&format!("{prefix} {number}"), "bank")]).await;
    }
}

pub(crate) async fn a_damaged_import_changes_nothing(tabs: &impl Tabs) {
    let store = over(everfold::store::MemoryStorage::open(
        &everfold::store::MemoryDatabase::new(),
    ))
    .await;
    fill(&store, 20).await;
    let file = export(&store).await;
    let copy = open(tabs).await;

    for length in (0..file.len()).step_by(7) {
        copy.import(&file[..length], false).await.expect_err("is cut");
    }
    for place in (0..file.len()).step_by(11) {
        let mut damaged = file.clone();
        damaged[place] ^= 4;
        copy.import(&damaged, false).await.expect_err("is damaged");
    }

    assert_eq!(copy.position(), Position(0));
    copy.import(&file, false).await.expect("imports");
}

pub(crate) async fn a_merged_import_adds_what_is_new_once(tabs: &impl Tabs) {
    let store = over(everfold::store::MemoryStorage::open(
        &everfold::store::MemoryDatabase::new(),
    ))
    .await;
    fill(&store, 30).await;
    let file = export(&store).await;
    let other = open(tabs).await;
    fill(&other, 10).await;
    appended(&other, &[any("own", "bank")]).await;
    let before = read_all(&other).await;

    other.import(&file, true).await.expect("merges");
    other.import(&file, true).await.expect("merges nothing");

    let after = read_all(&other).await;
    assert_eq!(after[..before.len()], before);
    let ids: std::collections::BTreeSet<_> = after.iter().map(|event| event.commit.clone()).collect();
    assert_eq!(ids.len(), 31);
    assert_eq!(after.len(), read_all(&store).await.len() + 1);
    let report = other.verify(Position(0)).await.expect("verifies");
    assert_eq!(report.problems, []);
}

pub(crate) async fn a_sound_log_verifies(tabs: &impl Tabs) {
    let store = open(tabs).await;
    fill(&store, 30).await;
    store.seal().await.expect("seals");
    fill_more(&store).await;
    store.seal().await.expect("seals");
    fill_more_under(&store, "tail").await;

    let (mut after, mut steps) = (Position(0), 0);
    loop {
        let report = store.verify(after).await.expect("verifies");
        assert_eq!(report.problems, []);
        steps += 1;
        match report.next {
            Some(next) => after = next,
            None => break,
        }
    }

    assert_eq!(steps, 3);
}
