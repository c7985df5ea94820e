//! The tail of the log: what the journal holds that is not sealed yet, decoded and in memory.
//!
//! Confirmed commits come first, then pending ones. A pending commit has no place of its own: its position and
//! the versions of its events follow from what is before it, and are computed whenever that changes. Whoever
//! reads sees one list. How records of the journal change it is in `records`.

mod records;

use std::collections::HashMap;
use std::ops::Range;
use std::rc::Rc;

pub use self::records::Settled;
use crate::log::block::{Recorded, RecordedCommit, StreamSpan};
use crate::log::commit::{StreamFields, join_commit};
use crate::log::record::CommitStatus;
use crate::plant::{Plant, is_planted};
use crate::position::Position;
use crate::stream::{ExpectedVersion, Version};

/// A commit of the tail.
#[derive(Debug)]
pub(crate) struct TailCommit {
    pub(crate) id: Rc<str>,
    pub(crate) attempt: u64,
    pub(crate) header: Rc<[u8]>,
    pub(crate) envelope: Rc<[u8]>,
    pub(crate) status: CommitStatus,
    /// Position of its first event.
    pub(crate) position: Position,
    /// What it wrote: stream, first version, number of events.
    pub(crate) streams: Vec<(Rc<str>, Version, u64)>,
    /// The streams that it read, as long as it is pending.
    pub(crate) reads: Vec<Rc<str>>,
}

impl TailCommit {
    pub(crate) fn recorded(&self) -> RecordedCommit<'_> {
        RecordedCommit {
            position: self.position,
            header: &self.header,
            streams: self
                .streams
                .iter()
                .map(|(stream, first, events)| StreamSpan {
                    stream,
                    first: *first,
                    events: *events,
                })
                .collect(),
        }
    }

    /// How many events it has.
    pub(crate) fn events(&self) -> usize {
        self.streams.iter().map(|(.., events)| *events as usize).sum()
    }

    /// The streams that it wrote or read.
    pub(crate) fn touched(&self) -> impl Iterator<Item = &Rc<str>> {
        self.streams.iter().map(|(stream, ..)| stream).chain(&self.reads)
    }

    /// Whether it wrote or read one of these streams.
    pub(crate) fn stands_on(&self, is_one: impl Fn(&str) -> bool) -> bool {
        let written = self.streams.iter().any(|(stream, ..)| is_one(stream));
        written || (!is_planted(Plant::ReadsNotDirty) && self.reads.iter().any(|stream| is_one(stream)))
    }
}

/// An event of the tail. Cheap to clone: its bytes are those of the record.
#[derive(Debug, Clone)]
pub(crate) struct TailEvent {
    position: Position,
    stream: Rc<str>,
    version: Version,
    commit: Rc<TailCommit>,
    index: u64,
    record: Rc<[u8]>,
    bytes: Range<usize>,
}

impl TailEvent {
    pub(crate) fn recorded(&self) -> Recorded<'_> {
        Recorded {
            position: self.position,
            stream: &self.stream,
            version: self.version,
            envelope: &self.commit.envelope,
            index: self.index,
            event: self.bytes(),
        }
    }

    /// Its own bytes.
    pub(crate) fn bytes(&self) -> &[u8] {
        self.record.get(self.bytes.clone()).unwrap_or_default()
    }

    pub(crate) fn status(&self) -> CommitStatus {
        self.commit.status
    }
}

/// The decoded tail.
#[derive(Debug, Default)]
pub(crate) struct Tail {
    /// Position before its first event.
    base: Position,
    /// The highest journal number read.
    number: u64,
    records: u64,
    bytes: u64,
    /// How many bytes those records have that added confirmed commits.
    confirmed_bytes: u64,
    commits: Vec<Rc<TailCommit>>,
    events: Vec<TailEvent>,
    events_by_stream: HashMap<Rc<str>, Vec<usize>>,
    commit_by_id: HashMap<Rc<str>, usize>,
    /// So many of the commits, and of the events, are confirmed.
    confirmed_commits: usize,
    confirmed_events: usize,
    /// For each pending commit whether it is to be decided again.
    undecided: Vec<bool>,
    /// Versions below the tail of the streams that pending commits wrote.
    bases: HashMap<Rc<str>, Version>,
}

impl Tail {
    /// An empty tail above a floor.
    pub(crate) fn new(base: Position, number: u64) -> Self {
        Self {
            base,
            number,
            ..Self::default()
        }
    }

    /// Position of the last event of the log.
    pub(crate) fn position(&self) -> Position {
        Position(self.base.0 + self.events.len() as u64)
    }

    /// Position of the last confirmed event.
    pub(crate) fn confirmed(&self) -> Position {
        Position(self.base.0 + self.confirmed_events as u64)
    }

    /// Position before the first event of the tail.
    pub(crate) fn base(&self) -> Position {
        self.base
    }

    /// The highest journal number read.
    pub(crate) fn number(&self) -> u64 {
        self.number
    }

    /// How many records it holds.
    pub(crate) fn records(&self) -> u64 {
        self.records
    }

    /// How many bytes those records have.
    pub(crate) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// How many bytes those of them have that added confirmed commits.
    pub(crate) fn confirmed_bytes(&self) -> u64 {
        self.confirmed_bytes
    }

    /// Its events in the order of position.
    pub(crate) fn events(&self) -> &[TailEvent] {
        &self.events
    }

    /// Those of them that are confirmed.
    pub(crate) fn confirmed_events(&self) -> &[TailEvent] {
        self.events.get(..self.confirmed_events).unwrap_or_default()
    }

    /// Its commits in the order of position.
    pub(crate) fn commits(&self) -> &[Rc<TailCommit>] {
        &self.commits
    }

    /// Those of them that are confirmed.
    pub(crate) fn confirmed_commits(&self) -> &[Rc<TailCommit>] {
        self.commits.get(..self.confirmed_commits).unwrap_or_default()
    }

    /// Those of them that are pending.
    pub(crate) fn pending_commits(&self) -> &[Rc<TailCommit>] {
        self.commits.get(self.confirmed_commits..).unwrap_or_default()
    }

    /// How many commits are pending.
    pub(crate) fn pending(&self) -> usize {
        self.commits.len() - self.confirmed_commits
    }

    /// For each pending commit whether it is to be decided again.
    pub(crate) fn undecided(&self) -> &[bool] {
        &self.undecided
    }

    /// The commit with this id.
    pub(crate) fn commit(&self, id: &str) -> Option<&Rc<TailCommit>> {
        self.commit_by_id.get(id).and_then(|place| self.commits.get(*place))
    }

    /// The place of the pending commit with this id among those that are pending.
    pub(crate) fn pending_place(&self, id: &str) -> Option<usize> {
        self.commit_by_id.get(id)?.checked_sub(self.confirmed_commits)
    }

    /// The events of one of its commits.
    pub(crate) fn events_in(&self, commit: &TailCommit) -> &[TailEvent] {
        let first = (commit.position.0 - self.base.0) as usize - 1;
        self.events.get(first..first + commit.events()).unwrap_or_default()
    }

    /// One of its commits as a record holds it; `before` are the versions of its streams.
    pub(crate) fn bytes_of(&self, commit: &TailCommit, before: &[Version]) -> Vec<u8> {
        let mut events = self.events_in(commit).iter();
        let streams: Vec<_> = commit
            .streams
            .iter()
            .zip(before)
            .map(|((stream, _, count), before)| StreamFields {
                stream,
                expected: ExpectedVersion::Exact(*before),
                events: events.by_ref().take(*count as usize).map(TailEvent::bytes).collect(),
            })
            .collect();
        let mut bytes = Vec::new();
        join_commit(&mut bytes, &commit.header, &streams);
        bytes
    }

    /// A number that only this stream has among those of the tail.
    pub(crate) fn number_of(&self, stream: &str) -> usize {
        let places = self.events_by_stream.get(stream);
        places.and_then(|places| places.first()).copied().unwrap_or_default()
    }

    /// The events of a stream, in order.
    pub(crate) fn events_of(&self, stream: &str) -> impl DoubleEndedIterator<Item = &TailEvent> {
        let places = self.events_by_stream.get(stream).map(Vec::as_slice).unwrap_or_default();
        places.iter().filter_map(|place| self.events.get(*place))
    }

    /// The version of a stream, if the tail tells.
    pub(crate) fn head(&self, stream: &str) -> Option<Version> {
        let last = self.events_of(stream).next_back().map(|event| event.version);
        last.or_else(|| self.bases.get(stream).copied())
    }

    /// The version of a stream in the confirmed log, if the tail tells.
    pub(crate) fn confirmed_head(&self, stream: &str) -> Option<Version> {
        let confirmed = |event: &&TailEvent| event.status() == CommitStatus::Confirmed;
        let last = self.events_of(stream).rfind(confirmed).map(|event| event.version);
        last.or_else(|| self.bases.get(stream).copied())
    }

    /// The streams that it has confirmed events of, with their versions.
    pub(crate) fn confirmed_heads(&self) -> impl Iterator<Item = (&Rc<str>, Version)> {
        self.events_by_stream
            .keys()
            .filter_map(|stream| Some((stream, self.confirmed_head(stream)?)))
    }
}
