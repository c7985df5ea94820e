//! What an instance knows of the log: directories of segments, the decoded tail, heads of streams.
//!
//! It may lag behind what other tabs wrote; every write finds that out by itself.

use std::collections::{HashMap, HashSet};
use std::rc::Rc;

use super::StoreError;
use super::binding::Binding;
use super::cut::cuts_key;
use super::meta::Floor;
use super::storage::{Entry, Key, KeyRange, Order, Read, Table};
use super::tail::{Settled, Tail};
use crate::log::directory::Directory;
use crate::log::record::{RecordKind, SyncRecord, decode_record, encode_record};
use crate::position::Position;
use crate::stream::Version;

/// Heads kept in memory, before they are forgotten and found again in the segments.
const MAX_HEADS: usize = 1 << 16;

/// Streams that other tabs wrote to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Foreign {
    /// These.
    Streams(HashSet<String>),
    /// Too much happened to tell which.
    All,
}

impl Default for Foreign {
    fn default() -> Self {
        Self::Streams(HashSet::new())
    }
}

/// A tail that start-up did not read: what its last record says.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Unread {
    /// The number of that record.
    number: u64,
    /// The position of its last event.
    end: Position,
    /// How many commits are pending.
    pending: u64,
}

/// What became of commits that were pending.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Settlements {
    /// These, with their attempts.
    Commits(Vec<(String, Settled, u64)>),
    /// Too much happened to tell.
    All,
}

impl Default for Settlements {
    fn default() -> Self {
        Self::Commits(Vec::new())
    }
}

/// The log as this instance knows it.
#[derive(Debug, Default)]
pub(crate) struct Log {
    pub(crate) floor: Floor,
    /// Its bytes as they are stored, which a transaction compares: an earlier format's are others than those that
    /// this release writes, and so are those with a field that it does not know.
    pub(crate) stored_floor: Vec<u8>,
    pub(crate) segments: Vec<Rc<Directory>>,
    pub(crate) tail: Tail,
    /// Where the log ends, as long as the tail is not read: start-up looks at the last record only.
    pub(crate) unread: Option<Unread>,
    /// Versions of streams found or written, for streams that the tail has no events of.
    heads: HashMap<String, Version>,
    pub(crate) foreign: Foreign,
    /// The space that the store is bound to, if it is.
    pub(crate) binding: Option<Binding>,
    /// Its bytes as they are stored.
    pub(crate) stored_binding: Option<Vec<u8>>,
    /// How often the log was cut, as that is stored.
    pub(crate) stored_cuts: Option<Vec<u8>>,
    /// Changes whenever what is pending changes otherwise than by an append.
    pub(crate) turns: u64,
    /// Changes whenever events may have taken the places of others: then a version that fits says nothing about what
    /// was decided before.
    pub(crate) merges: u64,
    pub(crate) settled: Settlements,
    /// Pending events are others than before, or elsewhere.
    pub(crate) rebased: bool,
}

impl Log {
    /// What to read to know the whole log: give the answers to [`Log::from_entries`].
    pub(crate) fn reads() -> Vec<Read> {
        Self::reads_with(Read::Scan {
            table: Table::Journal,
            range: KeyRange::ALL,
            order: Order::Ascending,
            limit: None,
        })
    }

    /// What to read to know where the log ends: give the answers to [`Log::from_last_record`].
    pub(crate) fn reads_of_end() -> Vec<Read> {
        Self::reads_with(Read::Scan {
            table: Table::Journal,
            range: KeyRange::ALL,
            order: Order::Descending,
            limit: Some(1),
        })
    }

    fn reads_with(journal: Read) -> Vec<Read> {
        let segments = Read::Scan {
            table: Table::Segments,
            range: KeyRange::ALL,
            order: Order::Ascending,
            limit: None,
        };
        vec![
            Read::Get(Table::Meta, Floor::key()),
            Read::Get(Table::Meta, Binding::key()),
            Read::Get(Table::Meta, cuts_key()),
            segments,
            journal,
        ]
    }

    /// Builds the log without its tail. None if its last record does not tell where it ends: then all of
    /// the journal must be read.
    pub(crate) fn from_last_record(mut found: Vec<Vec<Entry>>) -> Result<Option<Self>, StoreError> {
        let last = found.pop().and_then(|entries| entries.into_iter().next());
        let mut log = Self::from_entries(found)?;
        if let Some(Entry { key, value }) = last {
            let number = number(&key);
            let record = decode_record(&value)
                .map_err(|reason| StoreError::format(format!("journal record {number}"), reason))?;
            match record.end {
                Some(end) if record.counts_at(number) => {
                    let pending = record.pending;
                    log.unread = Some(Unread { number, end, pending });
                }
                _ => return Ok(None),
            }
        }
        Ok(Some(log))
    }

    /// Builds the log from what was read, and checks that positions and numbers are dense.
    pub(crate) fn from_entries(found: Vec<Vec<Entry>>) -> Result<Self, StoreError> {
        let mut found = found.into_iter();
        let mut next = || found.next().unwrap_or_default();
        let (floor, binding, cuts, segments, journal) = (next(), next(), next(), next(), next());
        let stored_floor = match floor.into_iter().next() {
            Some(entry) => entry.value,
            None => Floor::default().encode(),
        };
        let floor = Floor::decode(&stored_floor).map_err(|reason| StoreError::format("the journal's floor", reason))?;
        let mut log = Self {
            floor,
            stored_floor,
            tail: Tail::new(floor.position, floor.number),
            stored_cuts: cuts.into_iter().next().map(|entry| entry.value),
            ..Self::default()
        };
        log.bind(binding.into_iter().next().map(|entry| entry.value))?;
        let mut position = 0;
        for entry in segments {
            let record = format!("segment {}", number(&entry.key));
            let directory =
                Directory::decode(&entry.value).map_err(|reason| StoreError::format(record.as_str(), reason))?;
            if directory.first.0 != position + 1 {
                return Err(StoreError::gap(record, directory.first.0, position + 1));
            }
            position = directory.last().0;
            log.segments.push(Rc::new(directory));
        }
        if position != floor.position.0 {
            let record = "the journal's floor".to_owned();
            return Err(StoreError::gap(record, floor.position.0, position));
        }
        for entry in journal {
            log.tail.push(number(&entry.key), entry.value)?;
        }
        Ok(log)
    }

    /// Takes over the record `"sync"` as it is stored.
    pub(crate) fn bind(&mut self, stored: Option<Vec<u8>>) -> Result<(), StoreError> {
        if self.stored_binding != stored {
            let binding = stored.as_deref().map(Binding::decode).transpose();
            self.binding = binding.map_err(|reason| StoreError::format("the record of sync", reason))?;
            self.stored_binding = stored;
        }
        Ok(())
    }

    /// Position of the last confirmed event.
    pub(crate) fn confirmed(&self) -> Position {
        match &self.binding {
            Some(binding) => binding.confirmed,
            None => self.position(),
        }
    }

    /// How many commits are pending.
    pub(crate) fn pending(&self) -> u64 {
        self.unread.map_or(self.tail.pending() as u64, |unread| unread.pending)
    }

    /// The record that appends `commits`.
    pub(crate) fn appended<'a>(
        &self,
        number: u64,
        end: Position,
        commits: impl ExactSizeIterator<Item = &'a [u8]>,
    ) -> Vec<u8> {
        if self.binding.is_none() {
            return encode_record(number, end, commits);
        }
        let pending = (self.tail.pending() + commits.len()) as u64;
        SyncRecord {
            kind: RecordKind::Appended,
            number,
            end,
            commits: &commits.collect::<Vec<_>>(),
            dropped: &[],
            undecided: &[],
            pending,
        }
        .encode()
    }

    /// Position of the last event.
    pub(crate) fn position(&self) -> Position {
        self.unread.map_or_else(|| self.tail.position(), |unread| unread.end)
    }

    /// How many records of the journal are not sealed.
    pub(crate) fn journal_records(&self) -> u64 {
        let last = self.unread.map_or_else(|| self.tail.number(), |unread| unread.number);
        last - self.floor.number
    }

    /// The journal was read to its end: what start-up took from its last record must be there, and so must what the
    /// record of sync says.
    pub(crate) fn tail_is_read(&mut self) -> Result<(), StoreError> {
        let gap = |found, expected| StoreError::gap("the journal".to_owned(), found, expected);
        if let Some(unread) = self.unread {
            let (number, end) = (self.tail.number(), self.tail.position());
            if number < unread.number || number == unread.number && end < unread.end {
                return Err(gap(end.0, unread.end.0));
            }
        }
        if let Some(binding) = &self.binding
            && binding.confirmed != self.tail.confirmed()
        {
            return Err(gap(self.tail.confirmed().0, binding.confirmed.0));
        }
        self.unread = None;
        Ok(())
    }

    /// Adds a record that another tab appended, or that was there at start-up.
    pub(crate) fn push_foreign(&mut self, number: u64, record: Vec<u8>) -> Result<(), StoreError> {
        let before = self.tail.position();
        let there_before = self.unread.is_some_and(|unread| number <= unread.number);
        if there_before {
            return self.tail.push(number, record).map(drop);
        }
        self.push(number, record)?;
        if let Foreign::Streams(streams) = &mut self.foreign {
            let commits = self.tail.commits().iter().rev();
            streams.extend(
                commits
                    .take_while(|commit| commit.position > before)
                    .flat_map(|commit| &commit.streams)
                    .map(|(stream, ..)| stream.to_string()),
            );
        }
        Ok(())
    }

    /// Adds a record, and keeps what is new by it.
    pub(crate) fn push(&mut self, number: u64, record: Vec<u8>) -> Result<(), StoreError> {
        let news = self.tail.push(number, record)?;
        self.merges += u64::from(news.rebased || !news.streams.is_empty());
        if let Foreign::Streams(streams) = &mut self.foreign {
            streams.extend(news.streams);
        }
        if let Settlements::Commits(settled) = &mut self.settled {
            settled.extend(news.settled);
        }
        self.rebased |= news.rebased;
        self.turns += u64::from(news.turned);
        Ok(())
    }

    /// The version of a stream, if it is known without reading a block.
    pub(crate) fn head(&self, stream: &str) -> Option<Version> {
        self.tail.head(stream).or_else(|| self.heads.get(stream).copied())
    }

    /// The version of a stream in the confirmed log, if it is known without reading a block.
    pub(crate) fn confirmed_head(&self, stream: &str) -> Option<Version> {
        let tail = self.tail.confirmed_head(stream);
        tail.or_else(|| self.heads.get(stream).copied())
    }

    /// Keeps the version of a stream as it is below the tail.
    pub(crate) fn keep_head(&mut self, stream: &str, version: Version) {
        if let Some(head) = self.heads.get_mut(stream) {
            *head = version;
            return;
        }
        if self.heads.len() >= MAX_HEADS {
            self.heads.clear();
        }
        self.heads.insert(stream.to_owned(), version);
    }

    /// Takes over segments into which the confirmed tail was sealed, and begins a new tail.
    pub(crate) fn seal_tail(&mut self, directories: Vec<Directory>, floor: Floor) {
        let tail = std::mem::replace(&mut self.tail, Tail::new(floor.position, floor.number));
        for (stream, version) in tail.confirmed_heads() {
            self.keep_head(stream, version);
        }
        self.segments.extend(directories.into_iter().map(Rc::new));
        self.move_floor(floor);
    }

    /// The floor is stored there now.
    pub(crate) fn move_floor(&mut self, floor: Floor) {
        self.floor = floor;
        self.stored_floor = floor.encode();
    }
}

/// The number that a key of the journal or of the segments is.
pub(crate) fn number(key: &Key) -> u64 {
    match key {
        Key::Number(number) => *number as u64,
        _ => 0,
    }
}
