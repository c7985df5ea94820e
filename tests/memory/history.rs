//! Histories that nobody thought of: what two tabs may do to a log, and the plain list that it must equal.
#![expect(clippy::indexing_slicing, reason = "a wrong index fails the test, as it should")]

use std::collections::BTreeMap;

use everfold::position::Position;
use everfold::store::{MemoryDatabase, MemoryStorage, Outcome, Storage, Store};
use proptest::prelude::*;
use serde_json::json;

use crate::contract::ingest::{BulkCommit, try_ingest};
use crate::contract::log::{Seen, append, commit, over, read_all};

/// The streams of every history. UTF-8 and UTF-16 disagree on the order of the last two, and one is of another aggregate.
pub(crate) const STREAMS: [&str; 5] = ["s-0", "s-1", "s-\u{e000}", "s-🦀", "t-0"];

/// One thing that happens to a log that two tabs hold open.
#[derive(Debug, Clone)]
pub(crate) enum Step {
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

/// Any step. Ingests are `large` with this probability.
pub(crate) fn step(large: f64) -> impl Strategy<Value = Step> {
    let streams = prop::collection::btree_map(0..5_u8, prop::option::of(0..4_u64), 1..3);
    prop_oneof![
        6 => (0..2_usize, 0..40_u8, streams).prop_map(|(tab, id, streams)| Step::Append {
            tab,
            id,
            streams: streams.into_iter().collect(),
        }),
        2 => (0..2_usize, prop::collection::vec((0..40_u8, 0..5_u8), 1..5), prop::bool::weighted(large))
            .prop_map(|(tab, commits, large)| Step::Ingest { tab, commits, large }),
        1 => (0..2_usize).prop_map(|tab| Step::Seal { tab }),
        1 => (0..2_usize).prop_map(|tab| Step::Compact { tab }),
        1 => (0..2_usize).prop_map(|tab| Step::CatchUp { tab }),
        1 => (0..2_usize).prop_map(|tab| Step::Reopen { tab }),
    ]
}

/// A history of up to sixty steps.
pub(crate) fn steps(large: f64) -> impl Strategy<Value = Vec<Step>> {
    prop::collection::vec(step(large), 1..60)
}

/// What the log should hold: a list of events and a set of ids, kept in the plainest way.
#[derive(Default)]
pub(crate) struct Model {
    pub(crate) events: Vec<(String, u64, String)>,
    ids: BTreeMap<String, String>,
}

impl Model {
    pub(crate) fn head(&self, stream: &str) -> u64 {
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
            (format!("c{id}"), STREAMS[usize::from(*stream)].to_owned(), size)
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
        Outcome::Refused => "refused",
        Outcome::Invalid(_) => "invalid",
    }
}

/// Stream, version and commit of each.
pub(crate) fn plain(events: &[Seen]) -> Vec<(String, u64, String)> {
    events
        .iter()
        .map(|event| (event.stream.clone(), event.version, event.commit.clone()))
        .collect()
}

/// Two tabs of one database, and what it must hold.
pub(crate) struct World {
    pub(crate) database: MemoryDatabase,
    pub(crate) tabs: [Store<MemoryStorage>; 2],
    pub(crate) model: Model,
}

impl World {
    pub(crate) async fn new() -> Self {
        let database = MemoryDatabase::new();
        let tab = async || over(MemoryStorage::open(&database)).await;
        let tabs = [tab().await, tab().await];
        Self {
            database,
            tabs,
            model: Model::default(),
        }
    }

    /// What a history leads to.
    pub(crate) async fn after(steps: &[Step]) -> Self {
        let mut world = Self::new().await;
        for step in steps {
            world.take(step).await;
        }
        world.check().await;
        world
    }

    pub(crate) async fn take(&mut self, step: &Step) {
        match step {
            Step::Append { tab, id, streams } => self.append(*tab, *id, streams).await,
            Step::Ingest { tab, commits, large } => ingest(&self.tabs[*tab], &mut self.model, commits, *large).await,
            Step::Seal { tab } => {
                self.tabs[*tab].seal().await.expect("seals");
            }
            Step::Compact { tab } => {
                self.tabs[*tab].compact(2).await.expect("compacts");
            }
            Step::CatchUp { tab } => {
                self.tabs[*tab].catch_up().await.expect("catches up");
            }
            Step::Reopen { tab } => self.tabs[*tab] = over(MemoryStorage::open(&self.database)).await,
        }
    }

    /// Times, type and data follow from the id, so that one id is one content.
    async fn append(&mut self, tab: usize, id: u8, streams: &[(u8, Option<u64>)]) {
        let streams: Vec<_> = streams
            .iter()
            .map(|(stream, expected)| (STREAMS[usize::from(*stream)].to_owned(), *expected))
            .collect();
        let content = format!("{streams:?}");
        let writes: Vec<_> = streams
            .iter()
            .map(|(stream, expected)| (stream.as_str(), expected.map_or(json!("any"), |version| json!(version))))
            .collect();
        let name = format!("c{id}");
        let mut text = commit(&name, &writes);
        text["content"] = json!(content);
        text["recordedAt"] = json!(u64::from(id) * 10);
        for stream in text["streams"].as_array_mut().expect("is a list") {
            let event = &mut stream["events"][0];
            event["occurredAt"] = json!(u64::from(id) * 37 % 100);
            event["type"] = json!(if id.is_multiple_of(3) { "changed" } else { "happened" });
            event["data"] = json!({ "number": id });
        }
        let outcomes = append(&self.tabs[tab], &[text]).await;
        assert_eq!(word(&outcomes[0]), self.model.append(&name, &content, &streams));
    }

    /// Both tabs have everything and nothing else; returns it.
    pub(crate) async fn check(&self) -> Vec<Seen> {
        let mut events = Vec::new();
        for tab in &self.tabs {
            tab.catch_up().await.expect("catches up");
            events = read_all(tab).await;
            assert_eq!(plain(&events), self.model.events);
        }
        events
    }
}

/// Nothing is damaged, nowhere.
pub(crate) async fn assert_sound<S: Storage>(store: &Store<S>) {
    let mut after = Some(Position(0));
    while let Some(position) = after {
        let report = store.verify(position).await.expect("verifies");
        assert_eq!(report.problems, []);
        after = report.next;
    }
}
