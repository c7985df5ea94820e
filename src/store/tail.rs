//! The tail of the log: what the journal holds that is not sealed yet, decoded and in memory.

use std::collections::HashMap;
use std::ops::Range;
use std::rc::Rc;

use super::StoreError;
use crate::log::FormatError;
use crate::log::block::{Recorded, RecordedCommit, StreamSpan};
use crate::log::commit::{CommitParts, read_commit, split_commit};
use crate::log::record::{CommitStatus, decode_record};
use crate::position::Position;
use crate::stream::{ExpectedVersion, Version};

/// A commit of the tail.
#[derive(Debug)]
pub(crate) struct TailCommit {
    pub(crate) header: Vec<u8>,
    pub(crate) envelope: Vec<u8>,
    pub(crate) status: CommitStatus,
    /// Position of its first event.
    pub(crate) position: Position,
    pub(crate) streams: Vec<(Rc<str>, Version, u64)>,
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
            event: self.record.get(self.bytes.clone()).unwrap_or_default(),
        }
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
    commits: Vec<Rc<TailCommit>>,
    events: Vec<TailEvent>,
    events_by_stream: HashMap<Rc<str>, Vec<usize>>,
    commit_by_id: HashMap<String, usize>,
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

    /// Adds the next record of the journal. On an error the tail is what it was.
    pub(crate) fn push(&mut self, number: u64, record: Vec<u8>) -> Result<(), StoreError> {
        let name = || format!("journal record {number}");
        if number != self.number + 1 {
            return Err(StoreError::gap(name(), number, self.number + 1));
        }
        let record: Rc<[u8]> = record.into();
        let decoded = decode_record(&record).map_err(|reason| StoreError::format(name(), reason))?;
        let counts = decoded.counts_at(number);
        let parts = decoded
            .commits
            .iter()
            .filter(|_| counts)
            .map(|bytes| split_commit(bytes))
            .collect::<Result<Vec<_>, _>>()
            .map_err(|reason| StoreError::format(name(), reason))?;
        for commit in parts {
            self.push_commit(&record, commit, decoded.status)
                .map_err(|reason| StoreError::format(name(), reason))?;
        }
        self.number = number;
        self.records += 1;
        self.bytes += record.len() as u64;
        Ok(())
    }

    fn push_commit(
        &mut self,
        record: &Rc<[u8]>,
        parts: CommitParts<'_>,
        status: CommitStatus,
    ) -> Result<(), FormatError> {
        let id = read_commit(&parts.header)?.id.into_owned();
        let mut streams = Vec::with_capacity(parts.streams.len());
        for stream in &parts.streams {
            let ExpectedVersion::Exact(before) = stream.expected else {
                return Err(FormatError::Missing("version of a confirmed stream"));
            };
            let name = match self.events_by_stream.get_key_value(stream.stream) {
                Some((name, _)) => Rc::clone(name),
                None => Rc::from(stream.stream),
            };
            streams.push((name, before.next(), stream.events.len() as u64));
        }
        let commit = Rc::new(TailCommit {
            header: parts.header,
            envelope: parts.envelope,
            status,
            position: Position(self.position().0 + 1),
            streams,
        });
        let mut index = 0;
        for ((name, first, _), stream) in commit.streams.iter().zip(&parts.streams) {
            let mut version = *first;
            for bytes in &stream.events {
                let start = offset(record, bytes);
                self.events_by_stream
                    .entry(Rc::clone(name))
                    .or_default()
                    .push(self.events.len());
                self.events.push(TailEvent {
                    position: Position(self.position().0 + 1),
                    stream: Rc::clone(name),
                    version,
                    commit: Rc::clone(&commit),
                    index,
                    record: Rc::clone(record),
                    bytes: start..start + bytes.len(),
                });
                version = version.next();
                index += 1;
            }
        }
        self.commit_by_id.insert(id, self.commits.len());
        self.commits.push(commit);
        Ok(())
    }

    /// Position of the last event of the log.
    pub(crate) fn position(&self) -> Position {
        Position(self.base.0 + self.events.len() as u64)
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

    /// Its events in the order of position.
    pub(crate) fn events(&self) -> &[TailEvent] {
        &self.events
    }

    /// Its commits in the order of position.
    pub(crate) fn commits(&self) -> &[Rc<TailCommit>] {
        &self.commits
    }

    /// The commit with this id.
    pub(crate) fn commit(&self, id: &str) -> Option<&Rc<TailCommit>> {
        self.commit_by_id.get(id).and_then(|place| self.commits.get(*place))
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

    /// The version of a stream, if the tail has events of it.
    pub(crate) fn head(&self, stream: &str) -> Option<Version> {
        self.events_of(stream).next_back().map(|event| event.version)
    }

    /// The streams that it has events of, with their versions.
    pub(crate) fn heads(&self) -> impl Iterator<Item = (&Rc<str>, Version)> {
        self.events_by_stream.iter().filter_map(|(stream, places)| {
            places
                .last()
                .and_then(|place| self.events.get(*place))
                .map(|event| (stream, event.version))
        })
    }
}

/// Where `part`, a slice of `whole`, begins in it.
fn offset(whole: &[u8], part: &[u8]) -> usize {
    part.as_ptr().addr() - whole.as_ptr().addr()
}
