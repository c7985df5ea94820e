//! Sentences about the log: what is appended is there, whole, once, in order, whatever was sealed.
#![expect(clippy::unwrap_used, reason = "what fails here fails the test, as it should")]

use std::collections::BTreeMap;

use everfold::commit::NewCommit;
use everfold::position::Position;
use everfold::store::{
    Batch, Direction, Foreign, LoadQuery, OpenOptions, Outcome, Progress, Query, Storage, Store, StoreError,
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
            a_large_commit_is_refused_and_the_next_size_below_is_not
            a_page_ends_with_a_whole_commit
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

pub(crate) fn commit_of(id: &str, streams: &[Value]) -> Value {
    json!({
        "commitId": id, "known": true, "recordedAt": 1_000, "mode": "fact", "content": id, "streams": streams,
    })
}

pub(crate) fn stream_write(stream: &str, expected: &Value, events: u64) -> Value {
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

pub(crate) async fn loaded<S: Storage>(
    store: &Store<S>,
    stream: &str,
    query: LoadQuery<'_>,
) -> (Vec<u64>, u64, Option<u64>) {
    let loaded = store.load(stream, query).await.expect("loads");
    let versions = events_of(&loaded.batch).iter().map(|event| event.version).collect();
    (
        versions,
        loaded.version.0,
        loaded.snapshot.map(|snapshot| snapshot.version.0),
    )
}

/// A log with some streams of different lengths, times and types, in `commits` commits.
pub(crate) async fn fill<S: Storage>(store: &Store<S>, commits: u64) {
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

pub(crate) async fn fill_more<S: Storage>(store: &Store<S>) {
    for number in 0..10 {
        appended(store, &[any(&format!("more {number}"), "bank")]).await;
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
    assert_eq!(opened.unsealed(), 2);
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

pub(crate) async fn a_page_ends_with_a_whole_commit(tabs: &impl Tabs) {
    let store = open(tabs).await;
    for number in 0..7 {
        let streams = ["a", "b"].map(|stream| stream_write(stream, &json!("any"), 450));
        appended(&store, &[commit_of(&format!("c{number}"), &streams)]).await;
    }
    for sealed in [false, true] {
        if sealed {
            assert!(store.seal().await.unwrap());
        }
        for (stream, ends) in [(None, [2_700, 5_400, 6_300]), (Some("b"), [4_500, 6_300, 6_300])] {
            let mut query = Query {
                stream_id: stream.map(Into::into),
                ..Query::default()
            };
            let mut found = Vec::new();
            let mut next = Some(Position(0));
            while let Some(after) = next {
                query.after_position = Some(after);
                next = store.read(&query).await.unwrap().next;
                found.push(next.map_or(6_300, |position| position.0));
            }
            found.resize(3, 6_300);
            assert_eq!(found, ends, "{stream:?}, sealed: {sealed}");
        }
    }
}
