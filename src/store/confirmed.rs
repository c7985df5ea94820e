//! The confirmed log commit by commit, and the chain of hashes along it.

use std::rc::Rc;

use super::blocks::{BlockId, BlocksError};
use super::storage::Storage;
use super::tail::TailEvent;
use super::wire::{StreamBytes, wire_commit};
use super::{Store, StoreError};
use crate::log::FormatError;
use crate::log::block::read_commits;
use crate::position::Position;
use crate::stream::Version;
use crate::sync::{Head, WireCommit, digest, next_hash};

/// A commit of the confirmed log.
pub(crate) struct ConfirmedCommit<'a> {
    pub(crate) header: &'a [u8],
    pub(crate) streams: Vec<StreamBytes<'a>>,
}

/// A place in the confirmed log, between two commits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Place {
    /// The commit before it.
    pub(crate) head: Head,
    /// The last event before it.
    pub(crate) position: Position,
}

impl Place {
    /// The beginning of the log of `space`.
    pub(crate) fn first(space: &str) -> Self {
        Self {
            head: Head::first(space),
            position: Position(0),
        }
    }

    /// Goes past the next commit, and gives it as the wire says it.
    pub(crate) fn pass<'a>(&mut self, commit: &ConfirmedCommit<'a>) -> Result<WireCommit<'a>, StoreError> {
        let mut wire = wire_commit(commit.header, commit.streams.iter().cloned())
            .map_err(|reason| StoreError::format("a commit", reason))?;
        self.head.number += 1;
        wire.number = Some(self.head.number);
        self.head.hash = next_hash(&self.head.hash, &wire, &digest(&wire));
        self.position.0 += commit.events();
        Ok(wire)
    }
}

impl ConfirmedCommit<'_> {
    /// How many events it has.
    pub(crate) fn events(&self) -> u64 {
        self.streams.iter().map(|(.., events)| events.len() as u64).sum()
    }
}

impl<S: Storage> Store<S> {
    /// Gives the commits of the confirmed log after `after`, in their order, to `each`, until that says that it has
    /// enough. One segment at a time is in memory. For whoever holds `writing`.
    pub(crate) async fn each_confirmed(
        &self,
        after: Position,
        each: &mut dyn FnMut(&ConfirmedCommit<'_>) -> Result<bool, StoreError>,
    ) -> Result<(), BlocksError> {
        let segments = self.log.borrow().segments.clone();
        for segment in segments.iter().filter(|segment| segment.last() > after) {
            let damaged = |reason| StoreError::format(format!("segment {}", segment.first.0), reason);
            let ids = |numbers: std::ops::Range<usize>| numbers.map(|number| BlockId::new(segment, number)).collect();
            let (commits, end) = (segment.first_commit_block(), segment.first_stream_block());
            let past = segment.commit_blocks.partition_point(|first| first.0 <= after.0 + 1);
            let blocks: Vec<_> = ids(commits + past.saturating_sub(1)..end);
            let contents = self.blocks.get(&*self.storage, &blocks).await?;
            let kept = self.sorted.take();
            let group = vec![(segment, ids(0..commits))];
            for sorted in self.sorted(&group, Vec::new(), &kept).await? {
                for commit in contents.iter().map(|content| read_commits(content)) {
                    for commit in commit.map_err(damaged)?.iter().filter(|commit| commit.position > after) {
                        let mut place = (commit.position.0 - segment.first.0) as usize;
                        let mut streams = Vec::with_capacity(commit.streams.len());
                        for span in &commit.streams {
                            let mut events = Vec::with_capacity(span.events as usize);
                            for _ in 0..span.events {
                                let (event, _) = sorted.at(place).ok_or_else(|| damaged(FormatError::Cut))?;
                                events.push(event.event);
                                place += 1;
                            }
                            streams.push((span.stream, Version(span.first.0 - 1), events));
                        }
                        let header = commit.header;
                        if !each(&ConfirmedCommit { header, streams })? {
                            // It goes on here.
                            *self.sorted.borrow_mut() = vec![Rc::clone(&sorted)];
                            return Ok(());
                        }
                    }
                }
            }
        }
        let log = self.log.borrow();
        let commits = log.tail.confirmed_commits().iter();
        for commit in commits.filter(|commit| commit.position > after) {
            let mut events = log.tail.events_in(commit).iter().map(TailEvent::bytes);
            let spans = commit.streams.iter();
            let streams = spans.map(|(stream, first, count)| {
                let own = events.by_ref().take(*count as usize).collect();
                (&**stream, Version(first.0 - 1), own)
            });
            let streams = streams.collect();
            let header = &commit.header;
            if !each(&ConfirmedCommit { header, streams })? {
                return Ok(());
            }
        }
        Ok(())
    }
}
