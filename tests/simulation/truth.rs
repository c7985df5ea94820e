//! The log that everybody should have: what the server holds, read commit by commit, and judged.

use std::collections::{BTreeMap, HashMap};

use everfold::commit::Mode;
use everfold::json::{RawJson, parse};
use everfold::sync::{Hash, WireCommit, digest, first_hash, next_hash};

use crate::ledger::{Command, Decided, Event, State, decide, evolve, initial};
use crate::recorded::Recorded;
use crate::server::{SPACE, Server};

/// The server's log, as far as it was read.
#[derive(Debug)]
pub(crate) struct Truth {
    pub(crate) events: Vec<Recorded>,
    commits: Vec<Confirmed>,
    /// The number of each commit.
    numbers: HashMap<String, u64>,
    versions: HashMap<String, u64>,
    states: BTreeMap<String, State>,
    hash: Hash,
}

#[derive(Debug)]
struct Confirmed {
    hash: Hash,
    /// How many events there are up to its last one.
    events: usize,
}

impl Truth {
    pub(crate) fn new() -> Self {
        Self {
            events: Vec::new(),
            commits: Vec::new(),
            numbers: HashMap::new(),
            versions: HashMap::new(),
            states: BTreeMap::new(),
            hash: first_hash(SPACE),
        }
    }

    pub(crate) fn number(&self) -> u64 {
        self.commits.len() as u64
    }

    pub(crate) fn contains(&self, id: &str) -> bool {
        self.numbers.contains_key(id)
    }

    /// How many events the first `number` commits have.
    pub(crate) fn events_up_to(&self, number: u64) -> usize {
        let last = (number as usize).checked_sub(1).and_then(|last| self.commits.get(last));
        last.map_or(0, |commit| commit.events)
    }

    /// Forgets what the server has lost.
    pub(crate) fn go_back(&mut self, number: u64) {
        self.commits.truncate(number as usize);
        self.numbers.retain(|_, known| *known <= number);
        self.events.truncate(self.events_up_to(number));
        self.states = states(self.events.iter());
        self.versions.clear();
        let versions = self.events.iter().map(|event| (event.stream.clone(), event.version));
        self.versions.extend(versions);
        self.hash = self.commits.last().map_or(first_hash(SPACE), |commit| commit.hash);
    }

    /// Reads on. Versions are dense (I4), the chain verifies (I8), no id is there twice (I3), and every intent is what its
    /// decider says on the state that it stands on (I4).
    pub(crate) fn follow(&mut self, server: &Server) {
        for stored in server.commits(self.number()) {
            let commit: WireCommit<'_> = parse(&stored.text).expect("a stored commit can be read");
            assert_eq!(stored.number, self.number() + 1, "numbers are dense");
            assert_eq!(commit.number, Some(stored.number), "a commit says its number");
            assert!(!self.contains(&commit.id), "I3: {} is confirmed twice", commit.id);
            self.hash = next_hash(&self.hash, &commit, &digest(&commit));
            assert_eq!(self.hash, stored.hash, "I8: the chain verifies at {}", stored.number);
            self.check_intent(&commit);
            for stream in commit.streams.iter().flatten() {
                let version = self.versions.entry(stream.stream_id.to_string()).or_default();
                let state = self.states.entry(stream.stream_id.to_string());
                let state = state.or_insert_with(|| initial(&stream.stream_id));
                assert_eq!(
                    stream.before.map(|version| version.0),
                    Some(*version),
                    "I4: versions are dense"
                );
                for event in &stream.events {
                    let event = event_of(event);
                    *version += 1;
                    *state = evolve(*state, &event);
                    self.events.push(Recorded {
                        stream: stream.stream_id.to_string(),
                        version: *version,
                        position: self.events.len() as u64 + 1,
                        commit: commit.id.to_string(),
                        attempt: commit.attempt,
                        confirmed: true,
                        event,
                    });
                }
            }
            self.numbers.insert(commit.id.to_string(), stored.number);
            self.commits.push(Confirmed {
                hash: stored.hash,
                events: self.events.len(),
            });
        }
    }

    fn check_intent(&self, commit: &WireCommit<'_>) {
        let Some(command) = commit.command.filter(|_| commit.mode == Mode::Intent) else {
            return;
        };
        let command: Command = serde_json::from_str(command.get()).expect("a command is JSON");
        let states = &self.states;
        let stated: Decided = commit
            .streams
            .iter()
            .flatten()
            .map(|stream| {
                (
                    stream.stream_id.to_string(),
                    stream.events.iter().map(event_of).collect(),
                )
            })
            .collect();
        // Events that stay as they are when a newer version of the app decides again keep the older version's name.
        let stands = (1..=2).any(|version| decide(version, &command, states).as_ref() == Ok(&stated));
        assert!(
            stands,
            "I4: #{} {} attempt {} {command:?} led to {stated:?} on {states:?}",
            self.number() + 1,
            commit.id,
            commit.attempt
        );
    }
}

fn event_of(event: &everfold::sync::WireEvent<'_>) -> Event {
    Event::of_parts(&event.event_type, event.data.map_or("{}", RawJson::get))
}

/// The states that events lead to.
pub(crate) fn states<'e>(events: impl Iterator<Item = &'e Recorded>) -> BTreeMap<String, State> {
    let mut states: BTreeMap<String, State> = BTreeMap::new();
    for event in events {
        let state = states
            .entry(event.stream.clone())
            .or_insert_with(|| initial(&event.stream));
        *state = evolve(*state, &event.event);
    }
    states
}
