//! Reading blocks of segments, with the few last used ones kept unpacked.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::fmt;
use std::rc::Rc;

use super::cut::cuts_key;
use super::storage::{Entry, Key, Read, Storage, Table};
use super::{StoreError, log};
use crate::log::block::unpack;
use crate::log::directory::Directory;
use crate::stream::Version;

/// Unpacked blocks kept in memory: 256 of about 16 KiB.
const KEPT_BLOCKS: usize = 256;

/// Which block of which segment. A segment made by merging has the first position of the first one
/// that it replaced, but more events: what the number of events tells apart is never read by mistake.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct BlockId {
    first: u64,
    events: u64,
    number: usize,
}

impl BlockId {
    pub(crate) fn new(segment: &Directory, number: usize) -> Self {
        Self {
            first: segment.first.0,
            events: segment.events,
            number,
        }
    }

    /// Whether `other` is the next block of the same segment.
    pub(crate) fn is_followed_by(self, other: Self) -> bool {
        other
            == Self {
                number: self.number + 1,
                ..self
            }
    }

    pub(crate) fn key(self) -> Key {
        Key::from([
            Key::from(self.first),
            Key::from(self.events),
            Key::from(self.number as u64),
        ])
    }
}

impl fmt::Display for BlockId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "block {} of segment {}", self.number, self.first)
    }
}

/// Why blocks could not be read.
#[derive(Debug)]
pub(crate) enum BlocksError {
    /// A block is not there any more: its segment was merged by another tab, or the log was cut. Read the directories
    /// again.
    Vanished,
    /// Anything else.
    Store(StoreError),
}

impl From<StoreError> for BlocksError {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

/// The unpacked content of a block.
pub(crate) type Content = Rc<Vec<u8>>;

/// Unpacked blocks, the last used one at the back.
#[derive(Debug, Default)]
pub(crate) struct BlockCache {
    kept: RefCell<VecDeque<(BlockId, Content)>>,
    /// How often the log was cut that is read, as that is stored.
    cuts: RefCell<Option<Vec<u8>>>,
    /// How often this instance has heard of that.
    lives: Cell<u64>,
}

impl BlockCache {
    /// Of a log that was cut so often.
    pub(crate) fn of(cuts: Option<Vec<u8>>) -> Self {
        Self {
            cuts: RefCell::new(cuts),
            ..Self::default()
        }
    }

    /// The answers to questions whose keys only this log gives a meaning: after a cut there may be others by the same
    /// names, so that is asked for in the same transaction.
    pub(crate) async fn ask<S: Storage>(
        &self,
        storage: &S,
        mut reads: Vec<Read>,
    ) -> Result<Vec<Vec<Entry>>, BlocksError> {
        let life = self.life();
        reads.push(cuts_read());
        let found = storage.read(reads).await.map_err(StoreError::from)?;
        self.check_life(life)?;
        self.of_this_log(found).ok_or(BlocksError::Vanished)
    }

    /// Changes when this instance hears that the log was cut.
    pub(crate) fn life(&self) -> u64 {
        self.lives.get()
    }

    /// `Vanished` if what was read since then is of two logs.
    pub(crate) fn check_life(&self, before: u64) -> Result<(), BlocksError> {
        if self.life() == before {
            Ok(())
        } else {
            Err(BlocksError::Vanished)
        }
    }

    /// The answers, if the last one says that the log was not cut.
    pub(crate) fn of_this_log(&self, mut found: Vec<Vec<Entry>>) -> Option<Vec<Vec<Entry>>> {
        let stored = found.pop().unwrap_or_default();
        let cuts = self.cuts.borrow();
        let is_same = stored.first().map(|entry| &entry.value) == cuts.as_ref();
        is_same.then_some(found)
    }

    /// The contents of `wanted`, in its order, read in one transaction.
    pub(crate) async fn get<S: Storage>(&self, storage: &S, wanted: &[BlockId]) -> Result<Vec<Content>, BlocksError> {
        Ok(self.get_with(storage, wanted, Vec::new()).await?.1)
    }

    /// The answers to `reads` and the contents of `wanted`, from one transaction.
    pub(crate) async fn get_with<S: Storage>(
        &self,
        storage: &S,
        wanted: &[BlockId],
        mut reads: Vec<Read>,
    ) -> Result<(Vec<Vec<Entry>>, Vec<Content>), BlocksError> {
        let mut contents: Vec<Option<Content>> = wanted.iter().map(|id| self.find(*id)).collect();
        let answers = reads.len();
        let missing = wanted.iter().zip(&contents).filter(|(_, content)| content.is_none());
        reads.extend(missing.map(|(id, _)| Read::Get(Table::Blocks, id.key())));
        if reads.is_empty() {
            return Ok((Vec::new(), contents.into_iter().flatten().collect()));
        }
        let mut found = self.ask(storage, reads).await?;
        let mut blocks = found.split_off(answers.min(found.len())).into_iter();
        for (id, content) in wanted.iter().zip(&mut contents) {
            if content.is_none() {
                let entry = blocks.next().and_then(|entries| entries.into_iter().next());
                let block = entry.ok_or(BlocksError::Vanished)?.value;
                let unpacked = unpack(&block).map_err(|reason| StoreError::format(id.to_string(), reason))?;
                *content = Some(self.keep(*id, Rc::new(unpacked)));
            }
        }
        Ok((found, contents.into_iter().flatten().collect()))
    }

    /// Keeps nothing: the log was cut.
    pub(crate) fn forget(&self, cuts: Option<Vec<u8>>) {
        self.kept.take();
        self.cuts.replace(cuts);
        self.lives.set(self.life() + 1);
    }

    fn find(&self, id: BlockId) -> Option<Content> {
        let mut kept = self.kept.borrow_mut();
        let place = kept.iter().rposition(|(other, _)| *other == id)?;
        let entry = kept.remove(place)?;
        let content = Rc::clone(&entry.1);
        kept.push_back(entry);
        Some(content)
    }

    fn keep(&self, id: BlockId, content: Content) -> Content {
        let mut kept = self.kept.borrow_mut();
        if kept.len() >= KEPT_BLOCKS {
            kept.pop_front();
        }
        kept.push_back((id, Rc::clone(&content)));
        content
    }
}

/// How often the log was cut.
pub(crate) fn cuts_read() -> Read {
    Read::Get(Table::Meta, cuts_key())
}

impl log::Log {
    /// The blocks that may hold events of `stream` from version `from` on, oldest first.
    pub(crate) fn blocks_of(&self, stream: &str, from: Version) -> Vec<BlockId> {
        blocks_of(&self.segments, stream, from)
    }
}

/// The blocks of `segments` that may hold events of `stream` from version `from` on, oldest first.
pub(crate) fn blocks_of(segments: &[Rc<Directory>], stream: &str, from: Version) -> Vec<BlockId> {
    let mut found = Vec::new();
    for segment in segments.iter().rev() {
        let blocks = segment.blocks_of(stream, from);
        let first = blocks
            .clone()
            .next()
            .and_then(|number| segment.event_blocks.get(number));
        found.extend(blocks.rev().map(|number| BlockId::new(segment, number)));
        // What is before the first event of a block is of lower versions, and so is all that is older.
        if first.is_some_and(|fence| fence.stream == stream && fence.version <= from) {
            break;
        }
    }
    found.reverse();
    found
}
