//! Laws of the log, on histories that nobody thought of.
#![expect(clippy::indexing_slicing, reason = "a wrong index fails the test, as it should")]

use std::collections::{BTreeMap, BTreeSet};

use everfold::position::Position;
use everfold::store::{Direction, LoadQuery, MemoryDatabase, MemoryStorage, Outcome, Query, Store};
use everfold::stream::Version;
use proptest::prelude::*;
use serde_json::json;

use crate::contract::ingest::{BulkCommit, try_ingest};
use crate::contract::log::{Seen, append, commit, events_of, over, read, read_all};

/// One thing that happens to a log that two tabs hold open.
#[derive(Debug, Clone)]
enum Step {
    /// A tab appends a commit over one or two streams. The expectation is a version below 4, or any.
    Append {
        tab: usize,
        id: u8,
        streams: Vec<(u8, Option<u64>)>,
    },
    /// A tab ingests commits of one stream each; `large` ones make a segment.
    Ingest {
        tab: usize,
        commits: Vec<(u8, u8)>,
        large: bool,
    },
    Seal {
        tab: usize,
    },
    Compact {
        tab: usize,
    },
    CatchUp {
        tab: usize,
    },
    /// A tab is closed and opened again.
    Reopen {
        tab: usize,
    },
}

/// Ingests are `large` with this probability.
fn steps(large: f64) -> impl Strategy<Value = Vec<Step>> {
    let streams = prop::collection::btree_map(0..4_u8, prop::option::of(0..4_u64), 1..3);
    let step = prop_oneof![
        6 => (0..2_usize, 0..40_u8, streams).prop_map(|(tab, id, streams)| Step::Append {
            tab,
            id,
            streams: streams.into_iter().collect(),
        }),
        2 => (0..2_usize, prop::collection::vec((0..40_u8, 0..4_u8), 1..5), prop::bool::weighted(large))
            .prop_map(|(tab, commits, large)| Step::Ingest { tab, commits, large }),
        1 => (0..2_usize).prop_map(|tab| Step::Seal { tab }),
        1 => (0..2_usize).prop_map(|tab| Step::Compact { tab }),
        1 => (0..2_usize).prop_map(|tab| Step::CatchUp { tab }),
        1 => (0..2_usize).prop_map(|tab| Step::Reopen { tab }),
    ];
    prop::collection::vec(step, 1..60)
}

/// What the log should hold: a list of events and a set of ids, kept in the plainest way.
#[derive(Default)]
struct Model {
    events: Vec<(String, u64, String)>,
    ids: BTreeMap<String, String>,
}

impl Model {
    fn head(&self, stream: &str) -> u64 {
        self.events.iter().filter(|(other, ..)| other == stream).count() as u64
    }

    /// What an append must come to: the word of the outcome.
    fn append(&mut self, id: &str, content: &str, streams: &[(String, Option<u64>)]) -> &'static str {
        if let Some(known) = self.ids.get(id) {
            return if known == content { "duplicate" } else { "reused" };
        }
        if streams
            .iter()
            .any(|(stream, expected)| expected.is_some_and(|version| version != self.head(stream)))
        {
            return "conflict";
        }
        for (stream, _) in streams {
            let version = self.head(stream) + 1;
            self.events.push((stream.clone(), version, id.to_owned()));
        }
        self.ids.insert(id.to_owned(), content.to_owned());
        "appended"
    }
}

/// Ingests to the end, past each commit that is refused.
async fn ingest(store: &Store<MemoryStorage>, model: &mut Model, commits: &[(u8, u8)], large: bool) {
    let commits: Vec<_> = commits
        .iter()
        .enumerate()
        .map(|(number, (id, stream))| {
            let size = if large && number == 0 { 1_000 } else { 1 };
            (format!("c{id}"), format!("s-{stream}"), size)
        })
        .collect();
    let contents: Vec<_> = commits
        .iter()
        .map(|(_, stream, size)| format!("{stream} {size}"))
        .collect();
    let events: Vec<_> = commits
        .iter()
        .map(|(_, stream, size)| [(stream.as_str(), *size)])
        .collect();
    let bulk: Vec<_> = commits
        .iter()
        .zip(&contents)
        .zip(&events)
        .map(|(((id, ..), content), events)| BulkCommit {
            id,
            content: Some(content),
            events,
        })
        .collect();
    let mut from = 0;
    while from < bulk.len() {
        let ingested = try_ingest(store, &bulk, from).await.expect("ingests");
        let mut known = 0;
        for ((id, stream, size), content) in commits.iter().zip(&contents).skip(from).take(ingested.counts.commits) {
            let streams = vec![(stream.clone(), None); *size as usize];
            let outcome = model.append(id, content, &streams);
            assert!(["appended", "duplicate"].contains(&outcome), "{outcome}");
            known += usize::from(outcome == "duplicate");
        }
        assert_eq!(ingested.counts.known_commits, known);
        from = ingested.next;
        if let Some((_, outcome)) = ingested.refused.first() {
            let (id, stream, _) = &commits[from];
            assert_eq!(
                word(outcome),
                model.append(id, &contents[from], &[(stream.clone(), None)])
            );
            from += 1;
        }
    }
}

fn word(outcome: &Outcome) -> &'static str {
    match outcome {
        Outcome::Appended(_) => "appended",
        Outcome::Duplicate(_) => "duplicate",
        Outcome::Conflict(_) => "conflict",
        Outcome::Stale { .. } => "stale",
        Outcome::Reused => "reused",
        Outcome::Invalid(_) => "invalid",
    }
}

fn plain(events: &[Seen]) -> Vec<(String, u64, String)> {
    events
        .iter()
        .map(|event| (event.stream.clone(), event.version, event.commit.clone()))
        .collect()
}

async fn run(steps: &[Step]) -> (Model, Store<MemoryStorage>) {
    let database = MemoryDatabase::new();
    let tab = async || over(MemoryStorage::open(&database)).await;
    let mut tabs = [tab().await, tab().await];
    let mut model = Model::default();
    for step in steps {
        match step {
            Step::Append { tab, id, streams } => {
                let streams: Vec<_> = streams
                    .iter()
                    .map(|(stream, expected)| (format!("s-{stream}"), *expected))
                    .collect();
                let id = format!("c{id}");
                let content = format!("{streams:?}");
                let writes: Vec<_> = streams
                    .iter()
                    .map(|(stream, expected)| {
                        (stream.as_str(), expected.map_or(json!("any"), |version| json!(version)))
                    })
                    .collect();
                let mut text = commit(&id, &writes);
                text["content"] = json!(content);
                let outcomes = append(&tabs[*tab], &[text]).await;
                assert_eq!(word(&outcomes[0]), model.append(&id, &content, &streams), "{step:?}");
            }
            Step::Ingest { tab, commits, large } => ingest(&tabs[*tab], &mut model, commits, *large).await,
            Step::Seal { tab } => {
                tabs[*tab].seal().await.expect("seals");
            }
            Step::Compact { tab } => {
                tabs[*tab].compact(2).await.expect("compacts");
            }
            Step::CatchUp { tab } => {
                tabs[*tab].catch_up().await.expect("catches up");
            }
            Step::Reopen { tab: number } => tabs[*number] = tab().await,
        }
    }
    for tab in &tabs {
        tab.catch_up().await.expect("catches up");
        assert_eq!(plain(&read_all(tab).await), model.events);
    }
    let [first, _] = tabs;
    (model, first)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_log_is_what_a_plain_list_is_whatever_two_tabs_do(steps in steps(0.3)) {
        pollster::block_on(async {
            let (model, store) = run(&steps).await;
            let mut after = Some(Position(0));
            while let Some(position) = after {
                let report = store.verify(position).await.expect("verifies");
                assert_eq!(report.problems, []);
                after = report.next;
            }
            let streams: BTreeSet<_> = model.events.iter().map(|(stream, ..)| stream.clone()).collect();
            let listed = store.streams("s-", "", 100).await.expect("lists");
            assert_eq!(listed, streams.into_iter().collect::<Vec<_>>());
        });
    }

    #[test]
    fn any_page_size_in_either_direction_gives_the_same_events(steps in steps(0.0), limit in 1..9_usize) {
        pollster::block_on(async {
            let (model, store) = run(&steps).await;
            let forward = read(&store, Query { limit: Some(limit), ..Query::default() }).await;
            let backward =
                read(&store, Query { limit: Some(limit), direction: Direction::Backward, ..Query::default() }).await;
            assert_eq!(plain(&forward), model.events);
            assert_eq!(backward.into_iter().rev().collect::<Vec<_>>(), forward);
        });
    }

    #[test]
    fn a_snapshot_and_the_events_after_it_are_the_stream(steps in steps(0.1), at in 1..6_u64) {
        pollster::block_on(async {
            let (model, store) = run(&steps).await;
            for stream in ["s-0", "s-1", "s-2", "s-3"] {
                let length = model.head(stream);
                if at <= length {
                    store.put_snapshot(stream, ("s", 1), Version(at), "{}", 2).await.expect("keeps");
                }
                let query = LoadQuery { definition: Some(("s", 1)), ..LoadQuery::default() };
                let loaded = store.load(stream, query).await.expect("loads");
                let base = loaded.snapshot.map_or(0, |snapshot| snapshot.version.0);
                assert_eq!(base, if at <= length { at } else { 0 });
                let versions: Vec<_> = events_of(&loaded.batch).iter().map(|event| event.version).collect();
                assert_eq!(versions, (base + 1..=length).collect::<Vec<_>>());
            }
        });
    }
}
