//! Ingesting: bulk that becomes segments without passing through the journal.
//!
//! One transaction writes a finished segment of the tail and the bulk. It takes the journal's next
//! number, for a record that is gone again at its end: so it wins or loses against other tabs as an
//! append does, and an append that was planned before it loses. Little goes through the journal, so
//! that it does not make a small segment.

use std::collections::HashSet;

use super::append::{MAX_TRIES, Progress, seal};
use super::blocks::BlocksError;
use super::log::Log;
use super::pack::{Counts, OnRefused, Packed, Part, pack};
use super::refusals::Refusal;
use super::storage::{Change, Storage, Write};
use super::{Outcome, Store, StoreError};
use crate::bulk::Bulk;

/// So many events, or bytes of commits, make a segment.
pub(crate) const SEGMENT_FROM_EVENTS: usize = 1_000;
pub(crate) const SEGMENT_FROM_BYTES: usize = 1 << 20;

/// What a call of [`Store::ingest`] has written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ingested {
    /// Where the log is now, and who else wrote.
    pub progress: Progress,
    /// What of the bulk is in the log, from the commit asked for on.
    pub counts: Counts,
    /// Which commits are not, by their number in the bulk, and why.
    pub refused: Vec<(usize, Outcome)>,
    /// The number of the commit to go on with.
    pub next: usize,
}

impl<S: Storage> Store<S> {
    /// Writes commits of `bulk` from number `from` on, in one transaction and in their order: all of
    /// them, or fewer when one is refused or other tabs write all the time. Ask again for the rest.
    pub async fn ingest(&self, bulk: &Bulk<'_>, from: usize, on_refused: OnRefused) -> Result<Ingested, StoreError> {
        let _writing = self.writing.lock().await;
        let mut part = Part {
            from,
            on_refused,
            events: usize::MAX,
        };
        for lost in 0..MAX_TRIES {
            self.check_open()?;
            if self.doubtful.get() {
                self.refresh().await?;
            }
            self.make_room().await?;
            let packed = match self.pack(bulk, part).await {
                Ok(packed) => packed,
                Err(BlocksError::Store(error)) => return Err(error),
                Err(BlocksError::Vanished) => {
                    self.look_for_vanished().await?;
                    continue;
                }
            };
            if packed.len() == 0 || self.write_packed(&packed, lost).await? {
                return Ok(Ingested {
                    progress: self.progress(Vec::new()),
                    counts: packed.counts,
                    refused: packed.refused,
                    next: packed.next,
                });
            }
            // The less there is to pack, the sooner it is written, and the less likely another tab is first.
            part.events = packed.len() / 2;
            self.refresh().await?;
        }
        Err(StoreError::contended(MAX_TRIES))
    }

    async fn pack<'a>(&self, bulk: &'a Bulk<'a>, part: Part) -> Result<Packed<'a>, BlocksError> {
        let heads = self.heads_of(&bulk.streams).await?;
        let commits = bulk.commits.iter().skip(part.from);
        let ids: HashSet<&str> = commits.filter_map(|commit| commit.content.map(|_| commit.id)).collect();
        let refused = if ids.is_empty() {
            HashSet::new()
        } else {
            self.refused_ids(Refusal::is_final).await?
        };
        let known = self.find_commits(ids).await?;
        let position = self.log.borrow().position();
        pack(bulk, part, position, heads, known, refused, &self.identity.replica)
            .map_err(|reason| StoreError::format("a bulk", reason).into())
    }

    /// False if another tab wrote first.
    async fn write_packed(&self, packed: &Packed<'_>, lost: u32) -> Result<bool, StoreError> {
        let (number, record) = {
            let log = self.log.borrow();
            let number = log.tail.number() + 1;
            let is_small = packed.len() < SEGMENT_FROM_EVENTS && packed.size() < SEGMENT_FROM_BYTES;
            let in_journal = is_small || log.binding.is_some();
            let record = in_journal.then(|| log.appended(number, packed.end(), packed.commits()));
            (number, record)
        };
        if let Some(record) = record {
            return self.write_record(number, record, lost).await;
        }
        let mut write = Write {
            durability: self.durability,
            ..Write::default()
        };
        let (directory, floor) = {
            let log = self.log.borrow();
            write.changes.push(Change::Append {
                value: Vec::new(),
                expected: number,
            });
            seal(&log, Some(packed), &mut write)?
        };
        if !self.write_log(write).await? {
            return Ok(false);
        }
        let mut log = self.log.borrow_mut();
        log.seal_tail(vec![directory], floor);
        keep_heads(&mut log, packed);
        Ok(true)
    }
}

fn keep_heads(log: &mut Log, packed: &Packed<'_>) {
    for (stream, version) in packed.heads() {
        log.keep_head(stream, version);
    }
}
