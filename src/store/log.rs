//! What an instance knows of the log: directories of segments, the decoded tail, heads of streams.
//!
//! It may lag behind what other tabs wrote; every write finds that out by itself.

use std::collections::{HashMap, HashSet};
use std::rc::Rc;

use super::StoreError;
use super::meta::Floor;
use super::storage::{Entry, Key, KeyRange, Order, Read, Table};
use super::tail::Tail;
use crate::log::directory::Directory;
use crate::log::record::decode_record;
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
        vec![Read::Get(Table::Meta, Floor::key()), segments, journal]
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
                Some(end) if record.counts_at(number) => log.unread = Some(Unread { number, end }),
                _ => return Ok(None),
            }
        }
        Ok(Some(log))
    }

    /// Builds the log from what was read, and checks that positions and numbers are dense.
    pub(crate) fn from_entries(found: Vec<Vec<Entry>>) -> Result<Self, StoreError> {
        let mut found = found.into_iter();
        let mut next = || found.next().unwrap_or_default();
        let (floor, segments, journal) = (next(), next(), next());
        let stored_floor = match floor.into_iter().next() {
            Some(entry) => entry.value,
            None => Floor::default().encode(),
        };
        let floor = Floor::decode(&stored_floor).map_err(|reason| StoreError::format("the journal's floor", reason))?;
        let mut log = Self {
            floor,
            stored_floor,
            tail: Tail::new(floor.position, floor.number),
            ..Self::default()
        };
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

    /// Position of the last event.
    pub(crate) fn position(&self) -> Position {
        self.unread.map_or_else(|| self.tail.position(), |unread| unread.end)
    }

    /// How many records of the journal are not sealed.
    pub(crate) fn journal_records(&self) -> u64 {
        let last = self.unread.map_or_else(|| self.tail.number(), |unread| unread.number);
        last - self.floor.number
    }

    /// The journal was read to its end: what start-up took from its last record must be there.
    pub(crate) fn tail_is_read(&mut self) -> Result<(), StoreError> {
        match self.unread {
            Some(Unread { end, .. }) if self.tail.position() < end => {
                Err(StoreError::gap("the journal".to_owned(), self.tail.position().0, end.0))
            }
            _ => {
                self.unread = None;
                Ok(())
            }
        }
    }

    /// Adds a record that another tab appended, or that was there at start-up.
    pub(crate) fn push_foreign(&mut self, number: u64, record: Vec<u8>) -> Result<(), StoreError> {
        let before = self.tail.commits().len();
        self.tail.push(number, record)?;
        let there_before = self.unread.is_some_and(|unread| self.tail.position() <= unread.end);
        if let (Foreign::Streams(streams), false) = (&mut self.foreign, there_before) {
            let commits = self.tail.commits().iter().skip(before);
            streams.extend(
                commits
                    .flat_map(|commit| &commit.streams)
                    .map(|(stream, ..)| stream.to_string()),
            );
        }
        Ok(())
    }

    /// The version of a stream, if it is known without reading a block.
    pub(crate) fn head(&self, stream: &str) -> Option<Version> {
        self.tail.head(stream).or_else(|| self.heads.get(stream).copied())
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

    /// Takes over a segment into which the whole tail was sealed, and begins a new tail.
    pub(crate) fn seal_tail(&mut self, directory: Directory, floor: Floor) {
        let tail = std::mem::replace(&mut self.tail, Tail::new(floor.position, floor.number));
        for (stream, version) in tail.heads() {
            self.keep_head(stream, version);
        }
        self.segments.push(Rc::new(directory));
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
