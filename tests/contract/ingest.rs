//! Sentences about bulk: what is ingested is in the log as if it had been appended.

use everfold::bulk::Bulk;
use everfold::position::Position;
use everfold::store::{Counts, Ingested, MAX_COMMIT_BYTES, OnRefused, Outcome, Storage, Store, StoreError};
use serde_json::json;

use super::Tabs;
use super::log::{any, append, appended, commit, open, read_all};

/// Every sentence, for a runner to turn into tests.
macro_rules! ingest_sentences {
    ($run:ident) => {
        $run! { ingest:
            bulk_is_in_the_log_as_if_it_had_been_appended
            bulk_seals_the_tail_and_leaves_no_journal
            little_bulk_goes_through_the_journal
            bulk_goes_on_where_another_tab_has_got_to
            an_append_of_a_tab_that_has_not_heard_of_bulk_is_exact
            an_id_that_comes_again_in_bulk_is_known
            bulk_ends_before_the_first_commit_that_is_refused
            bulk_may_pass_over_commits_that_are_refused
            a_commit_of_bulk_has_the_limits_of_any_commit
            versions_of_streams_that_are_not_in_memory_are_found
        }
    };
}
pub(crate) use ingest_sentences;

/// A commit of a bulk: its id, whether the caller gave it, and how many events of which streams.
pub(crate) struct BulkCommit<'a> {
    pub(crate) id: &'a str,
    pub(crate) content: Option<&'a str>,
    pub(crate) events: &'a [(&'a str, u64)],
}

/// The text of a bulk. Events are those that `log::commit` makes.
pub(crate) fn bulk_text(commits: &[BulkCommit<'_>]) -> String {
    let mut streams: Vec<&str> = Vec::new();
    let mut text = "t\"happened\"\nt\"changed\"\n".to_owned();
    for commit in commits {
        let mut line = |line: String| {
            text.push_str(&line);
            text.push('\n');
        };
        match commit.content {
            Some(content) => line(format!("k1000 {}\n{content}", commit.id)),
            None => line(format!("c1000 {}", commit.id)),
        }
        for (stream, count) in commit.events {
            let number = streams.iter().position(|known| known == stream).unwrap_or_else(|| {
                streams.push(stream);
                line(format!("s{stream}"));
                streams.len() - 1
            });
            for event in 0..*count {
                line(format!("e{number} {} 1 1000\n{{\"number\":{event}}}", event % 2));
            }
        }
    }
    text
}

pub(crate) async fn try_ingest<S: Storage>(
    store: &Store<S>,
    commits: &[BulkCommit<'_>],
    from: usize,
) -> Result<Ingested, StoreError> {
    let text = bulk_text(commits);
    store
        .ingest(&Bulk::parse(&text).expect("is a bulk"), from, OnRefused::Stop)
        .await
}

/// Ingests commits that must all be taken.
pub(crate) async fn ingested<S: Storage>(store: &Store<S>, commits: &[BulkCommit<'_>]) -> Counts {
    let ingested = try_ingest(store, commits, 0).await.expect("ingests");
    assert_eq!((ingested.refused, ingested.counts.commits), (vec![], commits.len()));
    assert_eq!(ingested.next, commits.len());
    ingested.counts
}

fn new<'a>(id: &'a str, events: &'a [(&'a str, u64)]) -> BulkCommit<'a> {
    BulkCommit {
        id,
        content: None,
        events,
    }
}

fn given<'a>(id: &'a str, events: &'a [(&'a str, u64)]) -> BulkCommit<'a> {
    BulkCommit {
        id,
        content: Some(id),
        events,
    }
}

pub(crate) async fn bulk_is_in_the_log_as_if_it_had_been_appended<T: Tabs>(tabs: &T) {
    let store = open(tabs).await;
    appended(&store, &[any("before", "b")]).await;

    let counts = ingested(
        &store,
        &[
            given("many", &[("b", 300), ("a", 600)]),
            new("mixed", &[("a", 1), ("b", 1), ("a", 1), ("c", 1)]),
            given("more", &[("c", 200)]),
        ],
    )
    .await;
    appended(&store, &[any("after", "a")]).await;

    assert_eq!((counts.events, counts.position), (1_104, Position(1_105)));
    let events = read_all(&store).await;
    let positions: Vec<_> = events.iter().map(|event| event.position).collect();
    assert_eq!(positions, (1..=1_106).collect::<Vec<_>>());
    for stream in ["a", "b", "c"] {
        let versions: Vec<_> = events
            .iter()
            .filter(|event| event.stream == stream)
            .map(|event| event.version)
            .collect();
        assert_eq!(versions, (1..=versions.len() as u64).collect::<Vec<_>>(), "{stream}");
    }
    let mixed: Vec<_> = events.iter().filter(|event| event.commit == "mixed").collect();
    let order: Vec<_> = mixed
        .iter()
        .map(|event| (event.stream.as_str(), event.version))
        .collect();
    assert_eq!(order, [("a", 601), ("a", 602), ("b", 302), ("c", 1)]);
    assert_eq!(mixed[1].data, json!({ "number": 0 }));
    assert_eq!(read_all(&open(tabs).await).await, events);
    assert_sound(&store).await;
}

pub(crate) async fn bulk_seals_the_tail_and_leaves_no_journal<T: Tabs>(tabs: &T) {
    let store = open(tabs).await;
    appended(&store, &[any("before", "a")]).await;

    ingested(&store, &[new("bulk", &[("a", 999)]), new("and more", &[("b", 999)])]).await;

    assert_eq!(store.journal_records(), 0);
    assert_eq!(store.stats().await.expect("counts").segments, 1);
    assert_eq!(open(tabs).await.journal_records(), 0);
}

pub(crate) async fn little_bulk_goes_through_the_journal<T: Tabs>(tabs: &T) {
    let store = open(tabs).await;

    ingested(&store, &[given("one", &[("a", 1)]), new("two", &[("b", 2)])]).await;

    assert_eq!(store.journal_records(), 1);
    assert_eq!(store.position(), Position(3));
    assert_eq!(ingested(&store, &[given("one", &[("a", 1)])]).await.known_commits, 1);
}

pub(crate) async fn bulk_goes_on_where_another_tab_has_got_to<T: Tabs>(tabs: &T) {
    let (left, right) = (open(tabs).await, open(tabs).await);
    appended(&right, &[any("first", "a")]).await;
    ingested(&right, &[new("second", &[("a", 1_000)])]).await;

    ingested(&left, &[new("third", &[("a", 1_000)])]).await;
    ingested(&right, &[new("fourth", &[("a", 2)])]).await;

    let events = read_all(&left).await;
    assert_eq!(events.len(), 2_001, "it has not heard of the last ones");
    left.catch_up().await.expect("catches up");
    let versions: Vec<_> = read_all(&left).await.iter().map(|event| event.version).collect();
    assert_eq!(versions, (1..=2_003).collect::<Vec<_>>());
    assert_sound(&left).await;
}

pub(crate) async fn an_append_of_a_tab_that_has_not_heard_of_bulk_is_exact<T: Tabs>(tabs: &T) {
    let (left, right) = (open(tabs).await, open(tabs).await);
    appended(&left, &[any("first", "a")]).await;
    right.catch_up().await.expect("catches up");
    ingested(&left, &[new("bulk", &[("a", 1_000)])]).await;

    let stale = append(&right, &[commit("stale", &[("a", json!(1))])]).await;
    appended(&right, &[any("any", "a")]).await;

    assert!(matches!(stale.as_slice(), [Outcome::Conflict(_)]), "{stale:?}");
    left.catch_up().await.expect("catches up");
    let versions: Vec<_> = read_all(&left).await.iter().map(|event| event.version).collect();
    assert_eq!(versions, (1..=1_002).collect::<Vec<_>>());
}

pub(crate) async fn an_id_that_comes_again_in_bulk_is_known<T: Tabs>(tabs: &T) {
    let store = open(tabs).await;
    appended(&store, &[any("appended", "a")]).await;
    let commits = [
        given("appended", &[("a", 1)]),
        given("bulk", &[("a", 1_000)]),
        given("bulk", &[("a", 1_000)]),
        given("little", &[("b", 1)]),
    ];

    let first = ingested(&store, &commits).await;
    let again = ingested(&open(tabs).await, &commits).await;

    let known = |counts: &Counts| (counts.events, counts.known_commits, counts.known_events);
    assert_eq!(known(&first), (2_002, 2, 1_001));
    assert_eq!(known(&again), (2_002, 4, 2_002));
    assert_eq!((first.position, again.position), (Position(1_002), Position(1_002)));
    assert_eq!(store.position(), Position(1_002));
}

pub(crate) async fn bulk_ends_before_the_first_commit_that_is_refused<T: Tabs>(tabs: &T) {
    let store = open(tabs).await;
    appended(&store, &[any("used", "a")]).await;
    let commits = [
        given("before", &[("a", 2)]),
        BulkCommit {
            id: "used",
            content: Some("other content"),
            events: &[("a", 1)],
        },
        given("after", &[("a", 3)]),
    ];

    let first = try_ingest(&store, &commits, 0).await.expect("ingests");
    let at_it = try_ingest(&store, &commits, 1).await.expect("ingests");
    assert_eq!(store.position(), Position(3));
    let past_it = try_ingest(&store, &commits, 2).await.expect("ingests");

    assert_eq!(
        (first.counts.commits, first.next, first.refused),
        (1, 1, vec![(1, Outcome::Reused)])
    );
    assert_eq!(
        (at_it.counts.commits, at_it.next, at_it.refused),
        (0, 1, vec![(1, Outcome::Reused)])
    );
    assert_eq!((past_it.counts.commits, past_it.next, past_it.refused), (1, 3, vec![]));
    assert_eq!(store.position(), Position(6));
}

pub(crate) async fn bulk_may_pass_over_commits_that_are_refused<T: Tabs>(tabs: &T) {
    let store = open(tabs).await;
    appended(&store, &[any("used", "a")]).await;
    let used = || BulkCommit {
        id: "used",
        content: Some("other content"),
        events: &[("a", 1)],
    };
    let commits = [
        used(),
        given("one", &[("a", 2)]),
        new("large", &[("a", 1_001)]),
        given("two", &[("a", 3)]),
        used(),
    ];
    let text = bulk_text(&commits);
    let bulk = Bulk::parse(&text).expect("is a bulk");

    let ingested = store.ingest(&bulk, 0, OnRefused::PassOver).await.expect("ingests");

    let refused: Vec<_> = ingested.refused.iter().map(|(number, _)| *number).collect();
    assert_eq!((refused, ingested.next, ingested.counts.commits), (vec![0, 2, 4], 5, 2));
    let versions: Vec<_> = read_all(&store).await.iter().map(|event| event.version).collect();
    assert_eq!(versions, [1, 2, 3, 4, 5, 6]);
}

pub(crate) async fn a_commit_of_bulk_has_the_limits_of_any_commit<T: Tabs>(tabs: &T) {
    let store = open(tabs).await;
    let size = |length: usize| format!("t\"t\"\nsa\nc1 c\ne0 0 1 0\n\"{}\"\n", "x".repeat(length));
    let refused = async |text: &str| {
        let bulk = Bulk::parse(text).expect("is a bulk");
        let ingested = store.ingest(&bulk, 0, OnRefused::Stop).await.expect("ingests");
        !ingested.refused.is_empty()
    };

    let largest = (MAX_COMMIT_BYTES - 200..MAX_COMMIT_BYTES).rev();
    let mut fitting = 0;
    for length in largest {
        if !refused(&size(length)).await {
            fitting = length;
            break;
        }
    }
    let number = |data: usize| {
        json!([{
            "commitId": "d", "known": false, "recordedAt": 1, "mode": "fact", "content": "",
            "streams": [{ "streamId": "b", "expectedVersion": "any", "events":
                [{ "type": "t", "schemaVersion": 1, "occurredAt": 0, "data": "x".repeat(data) }] }],
        }])
    };
    let outcome = async |data: usize| {
        let list = number(data);
        append(&store, list.as_array().expect("is a list")).await.remove(0)
    };

    assert!(matches!(outcome(fitting + 1).await, Outcome::Invalid(_)));
    assert!(matches!(outcome(fitting).await, Outcome::Appended(_)));
    assert!(refused(&bulk_text(&[new("many", &[("a", 1_001)])])).await);
    assert!(refused(&bulk_text(&[new("none", &[])])).await);
    assert!(refused(&bulk_text(&[new("id", &[("a\u{7f}", 1)])])).await);
}

pub(crate) async fn versions_of_streams_that_are_not_in_memory_are_found<T: Tabs>(tabs: &T) {
    let streams: Vec<String> = (0..500).map(|number| format!("stream-{number}")).collect();
    let events: Vec<(&str, u64)> = streams.iter().map(|stream| (stream.as_str(), 2)).collect();
    for round in 0..3 {
        let store = open(tabs).await;

        // Every other stream is new in the last round.
        let half: Vec<_> = events.iter().copied().skip(round % 2).step_by(1 + round / 2).collect();
        ingested(
            &store,
            &[
                new(&format!("round {round}"), &half),
                new(&format!("and {round}"), &half),
            ],
        )
        .await;
    }

    let store = open(tabs).await;
    assert_sound(&store).await;
    let lengths = [
        store.load("stream-0", everfold::store::LoadQuery::default()).await,
        store.load("stream-1", everfold::store::LoadQuery::default()).await,
    ];
    let lengths = lengths.map(|loaded| loaded.expect("loads").version.0);
    assert_eq!(lengths, [8, 8]);
}

async fn assert_sound<S: Storage>(store: &Store<S>) {
    let mut after = Some(Position(0));
    while let Some(position) = after {
        let report = store.verify(position).await.expect("verifies");
        assert_eq!(report.problems, []);
        after = report.next;
    }
}
