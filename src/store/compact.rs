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
use super::segments::read_segment;
use super::storage::{Change, Check, Key, KeyRange, Storage, Table, Write, Written};
use super::{Store, StoreError};
use crate::log::block::BLOCK_BYTES;
use crate::log::directory::Directory;
use crate::log::segment::{self, Segment};

/// Events that a segment should have. A stream is read from a block of every segment that it occurs in, so few large ones make
/// loads fast; but a segment is built in one go, and a replay sorts one in memory. Eight times eight sealed tails of 256.
pub(crate) const SEGMENT_EVENTS: u64 = 16_384;
/// Bytes that it should have at most: whoever merges it or reads a page of it has all of it in memory.
pub(crate) const SEGMENT_BYTES: u64 = 16 << 20;

/// A run that fills a segment so far is worth merging, however few it is of.
const FULL_ENOUGH: u64 = SEGMENT_EVENTS / 4 * 3;

impl<S: Storage> Store<S> {
    /// Merges one run of neighbouring segments: at least `run` of about one size, or fewer that make a whole one. False
    /// if there is none. Costs one read and one write transaction of about a megabyte; what is read stays as it was.
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

/// How much of a whole segment one is, in events of usual size.
fn size(segment: &Directory) -> u64 {
    // Each block has at least so many before compression, but for the last one.
    let bytes = segment.bytes.max((segment.event_blocks.len() * BLOCK_BYTES) as u64);
    segment.events.max(bytes * SEGMENT_EVENTS / SEGMENT_BYTES)
}

/// The first run of neighbours that is worth merging. It must fit into one segment, and either
///
/// - be of at least `length` of about one size: to write a large one again for some small ones gains little;
/// - or fill a segment well enough;
/// - or end at one that does not fit, so that it will never be longer.
fn small_run(segments: &[Rc<Directory>], length: usize) -> Option<Range<usize>> {
    (0..segments.len()).find_map(|start| {
        let (mut end, mut events, mut largest) = (start, 0, 0);
        for segment in segments.iter().skip(start) {
            let size = size(segment);
            if size > SEGMENT_EVENTS / 2 || events + size > SEGMENT_EVENTS {
                break;
            }
            end += 1;
            events += size;
            largest = largest.max(size);
        }
        let count = end - start;
        let is_long = count >= length && largest * (length as u64 - 1) <= events;
        let is_over = end < segments.len();
        (count > 1 && (is_long || is_over || events >= FULL_ENOUGH)).then_some(start..end)
    })
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::position::Position;

    fn segments(sizes: &[u64]) -> Vec<Rc<Directory>> {
        let of = |events| Directory {
            events,
            ..Directory::begin(Position(1))
        };
        sizes.iter().map(|events| Rc::new(of(*events))).collect()
    }

    #[test]
    fn a_run_is_merged_when_it_is_long() {
        assert_eq!(small_run(&segments(&[256; 7]), 8), None);
        assert_eq!(small_run(&segments(&[256; 8]), 8), Some(0..8));
    }

    #[test]
    fn a_short_run_is_merged_when_it_fills_a_segment() {
        let enough = FULL_ENOUGH / 2;
        assert_eq!(small_run(&segments(&[enough, enough - 1]), 8), None);
        assert_eq!(small_run(&segments(&[enough, enough]), 8), Some(0..2));
    }

    #[test]
    fn large_segments_are_left_as_they_are() {
        let half = SEGMENT_EVENTS / 2;
        assert_eq!(small_run(&segments(&[half + 1, half - 1, half + 1]), 2), None);
        assert_eq!(small_run(&segments(&[half + 1, half, half]), 2), Some(1..3));
    }

    #[test]
    fn small_ones_before_a_large_one_are_merged_as_there_will_not_be_more() {
        assert_eq!(small_run(&segments(&[256, 256]), 8), None);
        assert_eq!(small_run(&segments(&[256, 256, SEGMENT_EVENTS]), 8), Some(0..2));
    }

    #[test]
    fn a_large_segment_is_not_written_again_for_some_small_ones() {
        assert_eq!(
            small_run(&segments(&[2_048, 256, 256, 256, 256, 256, 256, 256]), 8),
            None
        );
        let like = [300, 256, 256, 256, 256, 256, 256, 280];
        assert_eq!(small_run(&segments(&like), 8), Some(0..8));
        // Whoever asks for it has all of them merged.
        assert_eq!(small_run(&segments(&[2_048, 1]), 2), Some(0..2));
    }

    #[test]
    fn single_commits_end_in_few_segments_and_are_written_again_twice() {
        let (mut sizes, mut written) = (Vec::new(), 0);
        for sealed in [256; 400] {
            sizes.push(sealed);
            while let Some(run) = small_run(&segments(&sizes), 8) {
                let events: u64 = sizes.drain(run.clone()).sum();
                sizes.insert(run.start, events);
                written += events;
            }
        }
        assert!(sizes.len() <= 12, "{sizes:?}");
        assert!(written <= 400 * 256 * 2, "{written}");
    }
}
