//! The walk through what is pending: one commit after the other, asking for a decision where one is needed.
//!
//! Pure: it is given the log, the versions that the confirmed log has and the decisions, and keeps what came of them.
//! What becomes of a commit is in `verdict`, what is asked of the app in `ask`, and what is written and told once it is over
//! in `end`.

mod ask;
mod end;
mod verdict;

use std::collections::{HashMap, HashSet};
use std::rc::Rc;

use self::verdict::Verdict;
use super::StoreError;
use super::carry::Left;
use super::log::Log;
use super::tail::{TailCommit, TailEvent};
use crate::log::FormatError;
use crate::log::commit::{read_commit, split_commit};
use crate::plant::{Plant, is_planted};
use crate::position::Position;
use crate::stream::Version;

/// A walk under way.
#[derive(Debug)]
pub(crate) struct Walk {
    /// What the log was like: see [`Log::turns`].
    turn: u64,
    commits: Left,
    /// Their events, one commit's after the other's.
    events: Vec<TailEvent>,
    /// What became of those that the walk has passed.
    verdicts: Vec<Verdict>,
    /// How many of `events` it has passed.
    passed: usize,
    position: Position,
    /// Streams on which what was decided is not as it was.
    dirty: HashSet<Rc<str>>,
    blocked_streams: HashSet<Rc<str>>,
    /// Versions in the confirmed log.
    confirmed: HashMap<Rc<str>, Version>,
    /// The events of streams as the walk has come, and how many of them it has given.
    streams: HashMap<Rc<str>, (Vec<Passed>, usize)>,
    violated: Vec<(String, String)>,
    blocked: Vec<(String, String)>,
    has_asked: bool,
}

/// An event that a walk has passed: the place of its commit, its number in that, and where its bytes are if it is as it
/// was.
#[derive(Debug, Clone, Copy)]
struct Passed {
    place: usize,
    index: usize,
    event: Option<usize>,
    position: Position,
}

impl Walk {
    pub(super) fn begin(log: &Log) -> Self {
        Self {
            turn: log.turns,
            commits: Left::new(),
            events: Vec::new(),
            verdicts: Vec::new(),
            passed: 0,
            position: log.tail.confirmed(),
            dirty: HashSet::new(),
            blocked_streams: HashSet::new(),
            confirmed: HashMap::new(),
            streams: HashMap::new(),
            violated: Vec::new(),
            blocked: Vec::new(),
            has_asked: false,
        }
    }

    /// Whether it began when the log had made so many turns.
    pub(super) fn is_of(&self, turn: u64) -> bool {
        self.turn == turn
    }

    /// Takes in what was appended since.
    pub(super) fn extend(&mut self, log: &Log) {
        if !self.commits.is_empty() && is_planted(Plant::AppendedForgotten) {
            return;
        }
        let tail = &log.tail;
        if tail.pending() > self.commits.len() {
            let pending = tail.pending_commits().iter().map(Rc::clone);
            let pending = pending.zip(tail.undecided().iter().copied());
            self.commits.extend(pending.skip(self.commits.len()));
            let events = tail.events().iter().skip(tail.confirmed_events().len());
            self.events.extend(events.skip(self.events.len()).cloned());
        }
    }

    /// Goes past the commits that nobody has to be asked about, to the first that is to be decided.
    pub(super) fn go_on(&mut self) -> Result<Option<Rc<TailCommit>>, StoreError> {
        while let Some((commit, undecided)) = self.next() {
            match self.judge(&commit, undecided)? {
                Some(verdict) => self.pass(&commit, verdict)?,
                None => return Ok(Some(commit)),
            }
        }
        Ok(None)
    }

    /// The commit that is next, and whether it is to be decided again.
    fn next(&self) -> Option<(Rc<TailCommit>, bool)> {
        self.commits.get(self.verdicts.len()).cloned()
    }

    /// Whether it knows the version of a stream in the confirmed log.
    pub(super) fn knows(&self, stream: &str) -> bool {
        self.confirmed.contains_key(stream)
    }

    /// Takes in versions of streams in the confirmed log.
    pub(super) fn learn(&mut self, confirmed: HashMap<String, Version>) {
        let confirmed = confirmed.into_iter();
        self.confirmed
            .extend(confirmed.map(|(stream, version)| (Rc::from(stream), version)));
    }

    /// The events of the commit that is next, as they are.
    fn own_events(&self, commit: &TailCommit) -> &[TailEvent] {
        self.events
            .get(self.passed..self.passed + commit.events())
            .unwrap_or_default()
    }

    /// The version of a stream where the walk is.
    fn version(&self, stream: &str) -> Version {
        let confirmed = self.confirmed.get(stream).copied().unwrap_or_default();
        let passed = self.streams.get(stream).map_or(0, |(passed, _)| passed.len());
        Version(confirmed.0 + passed as u64)
    }

    /// Goes past a commit.
    fn pass(&mut self, commit: &TailCommit, verdict: Verdict) -> Result<(), StoreError> {
        let place = self.verdicts.len();
        let written = || commit.streams.iter().map(|(stream, ..)| Rc::clone(stream));
        let first = self.passed;
        self.passed += commit.events();
        let mut index = 0;
        match &verdict {
            Verdict::Refused { .. } if is_planted(Plant::RefusedNotDirty) => {}
            Verdict::Refused { .. } => self.dirty.extend(written()),
            Verdict::Stays | Verdict::Blocked => {
                for (stream, _, count) in &commit.streams {
                    for _ in 0..*count {
                        self.add(Rc::clone(stream), place, index, Some(first + index));
                        index += 1;
                    }
                }
                if matches!(verdict, Verdict::Blocked) {
                    self.blocked_streams.extend(written());
                }
            }
            Verdict::Becomes(bytes) => {
                let parts = split_commit(bytes).map_err(damaged)?;
                let changed = read_commit(&parts.header).map_err(damaged)?.attempt != commit.attempt
                    && !is_planted(Plant::ChangedNotDirty);
                if changed {
                    self.dirty.extend(written());
                }
                for stream in &parts.streams {
                    let name: Rc<str> = Rc::from(stream.stream);
                    for _ in &stream.events {
                        self.add(Rc::clone(&name), place, index, None);
                        index += 1;
                    }
                    if changed {
                        self.dirty.insert(name);
                    }
                }
            }
        }
        self.verdicts.push(verdict);
        Ok(())
    }

    fn add(&mut self, stream: Rc<str>, place: usize, index: usize, event: Option<usize>) {
        self.position.0 += 1;
        self.streams.entry(stream).or_default().0.push(Passed {
            place,
            index,
            event,
            position: self.position,
        });
    }
}

#[cold]
fn damaged(reason: FormatError) -> StoreError {
    StoreError::format("a pending commit", reason)
}
