//! What must hold.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use everfold::json::parse;
use everfold::position::Position;
use everfold::store::{Durability, OpenOptions, Recovery, RefusalKind};
use everfold::sync::{PushAnswer, PushResult, State};

use super::{Device, World};
use crate::faults::{Fault, Tally};
use crate::gate::Gate;
use crate::ledger::{LIMIT, account, initial};
use crate::random::Random;
use crate::recorded::Recorded;
use crate::server::Answer;
use crate::shell::{self, Store};
use crate::tab::{Done, TabId};
use crate::truth::states;
use crate::weather::Weather;

impl World {
    /// What is not settled yet, in words, device by device.
    pub(super) fn unsettled(&self) -> impl Iterator<Item = String> {
        let head = self.server.state();
        (0..).zip(&self.devices).filter_map(move |(place, device)| {
            let leader = device.tabs.iter().find(|tab| Some(tab.id) == device.leader);
            let Some(tab) = leader else {
                return Some(format!("{} has no leader", device.name));
            };
            if tab.status.state != State::Idle {
                return Some(format!("{} is {:?}", device.name, tab.status));
            }
            let state = pollster::block_on(shell::state(&self.fresh_store(place))).expect("memory does not fail");
            let settled = state.pending == 0
                && !state.adopting
                && state.head == head.head
                && state.cursor.is_some_and(|cursor| cursor.epoch == head.epoch);
            (!settled).then(|| {
                format!(
                    "{} is {:?} at #{} of {} with {} pending",
                    device.name, tab.status, state.head.number, head.head.number, state.pending
                )
            })
        })
    }

    /// Only the last tab that began to lead writes what a leader writes.
    pub(super) fn check_fence(&mut self, id: TabId, done: &Done) {
        let Some(tab) = self.tab(id) else { return };
        let wrote = tab.control.wrote_as_leader.take();
        if matches!(done, Done::Led(Ok(_))) {
            self.devices[id.device].fence = Some(id);
        } else if wrote && matches!(done, Done::Applied { .. } | Done::Walked(_) | Done::Adopted { .. }) {
            let fenced = self.devices[id.device].fence != Some(id);
            assert!(
                !fenced,
                "fence: {} wrote as a leader after another one began",
                self.name(id)
            );
        }
    }

    /// What is in the log of a device now.
    pub(super) fn events(&self, device: usize) -> Vec<Recorded> {
        pollster::block_on(shell::read_all(&self.fresh_store(device))).expect("memory does not fail")
    }

    /// Going back, a device drops nothing but what the server has lost of others, and that only if it is told to.
    pub(super) fn check_recovered(&self, device: usize, before: &[Recorded]) {
        let (refusals, store) = self.refusals(device);
        let after = pollster::block_on(shell::read_all(&store)).expect("memory does not fail");
        let Device {
            name,
            origin,
            recovery,
            dismissed,
            retried,
            ..
        } = &self.devices[device];
        let is_own = |id: &str| {
            let maker = id.split(':').next().unwrap_or_default();
            let maker = self.devices.iter().find(|device| device.name == maker);
            maker.is_some_and(|maker| maker.origin == *origin)
        };
        let here: BTreeMap<&str, bool> = after
            .iter()
            .map(|event| (event.commit.as_str(), event.confirmed))
            .collect();
        for Recorded { commit, confirmed, .. } in before {
            match here.get(commit.as_str()) {
                None if refusals.contains_key(commit) || dismissed.contains(commit) => {}
                None => {
                    let may_go = *recovery == Recovery::Discard && *confirmed && !is_own(commit);
                    assert!(may_go, "I7: {name} has dropped {commit}");
                    self.tally.struck(Fault::OrphansDiscarded);
                }
                Some(false) if *confirmed && !is_own(commit) && !retried.contains(commit) => {
                    assert_eq!(*recovery, Recovery::Auto, "{name} gives back {commit} unasked");
                    self.tally.struck(Fault::OrphansGivenBack);
                }
                Some(_) => {}
            }
        }
    }

    /// Whether the space is still taking over the history of a device.
    pub(super) fn is_adopting(&self, device: usize) -> bool {
        let state = pollster::block_on(self.fresh_store(device).sync_state()).expect("memory does not fail");
        state.is_some_and(|state| state.adopting)
    }

    /// What the log holds is never a conflict, however often it comes: ids are judged before versions.
    pub(super) fn check_results(&self, answer: &Answer) {
        if !answer.text.contains("\"conflict\"") {
            return;
        }
        let answer: PushAnswer<'_> = parse(&answer.text).expect("an answer can be read");
        for result in &answer.results {
            let known = matches!(result, PushResult::Conflict { .. }) && self.truth.contains(result.id());
            assert!(!known, "{} is confirmed, and told to be a conflict", result.id());
        }
    }

    /// A store that sees what is on the disk of a device, and nothing else.
    pub(super) fn fresh_store(&self, device: usize) -> Store {
        let weather = Rc::new(Weather::of(&mut Random::new(0)));
        weather.calm_down();
        let (gate, _) = Gate::open(&self.devices[device].database, 0, &weather, &Tally::default());
        let options = OpenOptions {
            replica: String::new(),
            now: 0,
            durability: Durability::Strict,
        };
        pollster::block_on(Store::open(gate, options)).expect("a store opens")
    }

    pub(super) fn refusals(&self, device: usize) -> (BTreeMap<String, String>, Store) {
        let store = self.fresh_store(device);
        let refusals = pollster::block_on(shell::refusals(&store)).expect("memory does not fail");
        (refusals, store)
    }

    /// What is on the disk of a device, whatever was under way: what was acknowledged is there (I1, I7), confirmed and pending
    /// follow each other, versions are dense, states are what the events say (I5), and what is confirmed is what the
    /// server has (I2).
    pub(super) fn check_device(&self, device: usize) -> (BTreeMap<String, String>, Store) {
        let (refusals, store) = self.refusals(device);
        let name = &self.devices[device].name;
        let events = pollster::block_on(shell::read_all(&store)).expect("memory does not fail");
        let mut versions: BTreeMap<&str, u64> = BTreeMap::new();
        for (position, event) in (1..).zip(&events) {
            assert_eq!(event.position, position, "I5: {name} has a hole at position {position}");
            let version = versions.entry(&event.stream).or_default();
            *version += 1;
            assert_eq!(event.version, *version, "I4: {name} has a hole in {}", event.stream);
        }
        let confirmed = events.iter().take_while(|event| event.confirmed).count();
        let pending = &events[confirmed..];
        assert!(
            pending.iter().all(|event| !event.confirmed),
            "I5: {name} has confirmed events above pending ones"
        );
        let mut seen: BTreeSet<&str> = BTreeSet::new();
        let mut last = "";
        for event in &events {
            assert!(
                event.commit == last || seen.insert(&event.commit),
                "I3: {name} has {} twice",
                event.commit
            );
            last = &event.commit;
        }
        for id in &self.devices[device].acknowledged {
            let known =
                seen.contains(id.as_str()) || refusals.contains_key(id) || self.devices[device].dismissed.contains(id);
            assert!(known, "I7: {name} has lost {id}");
        }
        let folded = states(events.iter());
        for number in 0..self.accounts {
            let stream = account(number);
            let loaded = pollster::block_on(shell::state_of(&store, &stream)).expect("memory does not fail");
            let expected = folded.get(&stream).copied().unwrap_or_else(|| initial(&stream));
            assert_eq!(loaded, expected, "I5: {name} loads another {stream}");
        }
        let limit = pollster::block_on(shell::state_of(&store, LIMIT)).expect("memory does not fail");
        assert_eq!(
            Some(&limit),
            folded.get(LIMIT).or(Some(&initial(LIMIT))),
            "I5: {name} loads another limit"
        );
        if let Some(state) = pollster::block_on(store.sync_state()).expect("memory does not fail")
            && state
                .cursor
                .is_some_and(|cursor| cursor.epoch == self.server.state().epoch)
        {
            let expected = self.truth.events_up_to(state.head.number);
            assert!(
                confirmed == expected || state.adopting && confirmed > expected,
                "I2: {name} has {confirmed} events, not {expected}, at #{}",
                state.head.number
            );
            assert_eq!(
                events[..expected],
                self.truth.events[..expected],
                "I2: {name} has another log"
            );
        }
        (refusals, store)
    }

    pub(super) fn check_end(&self) {
        for device in 0..self.devices.len() {
            let (refusals, store) = self.check_device(device);
            let device = &self.devices[device];
            for id in &device.acknowledged {
                let refused = device.dismissed.contains(id)
                    || refusals.get(id).is_some_and(|kind| kind != RefusalKind::Changed.name());
                assert!(
                    self.truth.contains(id) || refused,
                    "I1: {id} was acknowledged and is nowhere"
                );
                let twice = self.truth.contains(id) && refusals.get(id).is_some_and(|kind| kind == "refused");
                assert!(!twice || self.ambiguous, "I7: {id} was refused and is confirmed");
            }
            let report = pollster::block_on(store.verify(Position(0))).expect("memory does not fail");
            assert!(
                report.problems.is_empty(),
                "{} is damaged: {:?}",
                device.name,
                report.problems
            );
        }
    }
}
