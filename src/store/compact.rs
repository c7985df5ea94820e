//! Compaction: neighbouring small segments become one.
//!
//! One transaction puts the new segment and deletes the old ones; it checks the floor, which every
//! seal and merge changes, so that no two tabs merge the same. A reader with old directories finds
//! its blocks gone, reads the directories again and goes on by position.

use std::ops::Range;
use std::rc::Rc;

use super::append::{MAX_TRIES, put_segment};
use super::blocks::{BlockId, BlocksError};
use super::meta::Floor;
use super::storage::{Change, Check, Key, KeyRange, Storage, Table, Write, Written};
use super::transfer::read_segment;
use super::{Store, StoreError};
use crate::log::directory::Directory;
use crate::log::segment::{self, Segment};

/// Events that a segment should have: enough for few segments, few enough to merge in one transaction.
pub(crate) const SEGMENT_EVENTS: u64 = 8_000;

impl<S: Storage> Store<S> {
    /// Merges one run of at least `run` neighbouring segments that are small together. False if there is
    /// none. Costs one read and one write transaction of about a megabyte; what is read stays as it was.
    pub async fn compact(&self, run: usize) -> Result<bool, StoreError> {
        let _writing = self.writing.lock().await;
        for _ in 0..MAX_TRIES {
            self.check_open()?;
            let segments = self.log.borrow().segments.clone();
            let Some(range) = small_run(&segments, run.max(2)) else {
                return Ok(false);
            };
            let old = segments.get(range.clone()).unwrap_or_default();
            let merged = match self.merge(old).await {
                Ok(merged) => merged,
                Err(BlocksError::Store(error)) => return Err(error),
                Err(BlocksError::Vanished) => {
                    self.look_for_vanished().await?;
                    continue;
                }
            };
            let (before, stored) = {
                let log = self.log.borrow();
                (log.floor, log.stored_floor.clone())
            };
            let floor = Floor {
                changes: before.changes + 1,
                ..before
            };
            let directory = merged.directory.clone();
            match self
                .storage
                .write(replacing(old, merged, stored, floor, self.durability))
                .await
            {
                Ok(Written::Done) => {
                    let mut log = self.log.borrow_mut();
                    log.move_floor(floor);
                    log.segments.splice(range, [Rc::new(directory)]);
                    return Ok(true);
                }
                Ok(_) => self.refresh().await?,
                Err(error) => {
                    self.doubtful.set(true);
                    return Err(error.into());
                }
            }
        }
        Err(StoreError::contended(MAX_TRIES))
    }

    /// One segment with everything that `old` hold.
    async fn merge(&self, old: &[Rc<Directory>]) -> Result<Segment, BlocksError> {
        let mut contents = Vec::with_capacity(old.len());
        for segment in old {
            let blocks: Vec<_> = (0..segment.first_stream_block())
                .map(|number| BlockId::new(segment, number))
                .collect();
            contents.push(self.blocks.get(&*self.storage, &blocks).await?);
        }
        let (mut events, mut commits) = (Vec::new(), Vec::new());
        for (segment, contents) in old.iter().zip(&contents) {
            let damaged = |reason| StoreError::format(format!("segment {}", segment.first.0), reason);
            let (own_events, own_commits) = read_segment(segment, contents).map_err(damaged)?;
            events.extend(own_events);
            commits.extend(own_commits);
        }
        segment::build(events, &commits)
            .map_err(|reason| StoreError::format("segments under compaction", reason).into())
    }
}

/// The first run of at least `length` neighbours, none of them large, that fit into one segment.
fn small_run(segments: &[Rc<Directory>], length: usize) -> Option<Range<usize>> {
    let mut start = 0;
    while start < segments.len() {
        let mut events = 0;
        let fitting = segments.iter().skip(start).take_while(|segment| {
            events += segment.events;
            segment.events <= SEGMENT_EVENTS / 2 && events <= SEGMENT_EVENTS
        });
        let count = fitting.count();
        if count >= length {
            return Some(start..start + count);
        }
        start += count.max(1);
    }
    None
}

fn replacing(
    old: &[Rc<Directory>],
    merged: Segment,
    before: Vec<u8>,
    after: Floor,
    durability: super::Durability,
) -> Write {
    let check = Check {
        table: Table::Meta,
        key: Floor::key(),
        expected: Some(before),
    };
    let mut write = Write {
        checks: vec![check],
        durability,
        ..Write::default()
    };
    for segment in old {
        drop_segment(segment, &mut write);
    }
    put_segment(&mut write, &merged.directory, merged.blocks);
    write
        .changes
        .push(Change::Put(Table::Meta, Floor::key(), after.encode()));
    write
}

/// Adds to `write` what deletes a segment.
pub(crate) fn drop_segment(segment: &Directory, write: &mut Write) {
    let blocks = KeyRange::prefix(&[Key::from(segment.first.0), Key::from(segment.events)]);
    write.changes.push(Change::Delete(Table::Blocks, blocks));
    let directory = KeyRange::only(Key::from(segment.first.0));
    write.changes.push(Change::Delete(Table::Segments, directory));
}
