//! Finding commits by their ids, many at once: the filters say which segments may hold which, and the
//! commits of such a segment are decoded once for all of them.

use std::collections::{HashMap, HashSet};
use std::rc::Rc;

use super::blocks::{BlockId, BlocksError};
use super::plan::Receipt;
use super::storage::{Read, Storage, Table};
use super::{Store, StoreError};
use crate::log::block::{RecordedCommit, read_commits, unpack};
use crate::log::commit::read_commit;
use crate::log::directory::Directory;
use crate::log::filter;
use crate::log::record::CommitStatus;
use crate::stream::Version;

impl<S: Storage> Store<S> {
    /// What became of a commit, by its id: none if the log does not hold it.
    pub async fn find_commit(&self, id: &str) -> Result<Option<Receipt>, StoreError> {
        self.ready().await?;
        let mut found = self
            .with_blocks(async || self.find_commits(HashSet::from([id])).await)
            .await?;
        Ok(found.remove(id))
    }

    /// The commits of the log with one of `ids`.
    pub(crate) async fn find_commits(&self, mut ids: HashSet<&str>) -> Result<HashMap<String, Receipt>, BlocksError> {
        let mut known = HashMap::new();
        if ids.is_empty() {
            return Ok(known);
        }
        let segments = {
            let log = self.log.borrow();
            for id in &ids {
                if let Some(commit) = log.tail.commit(id) {
                    let mut receipt = receipt(&commit.recorded())?;
                    receipt.pending = commit.status == CommitStatus::Pending;
                    known.insert((*id).to_owned(), receipt);
                }
            }
            log.segments.clone()
        };
        ids.retain(|id| !known.contains_key(*id));
        if ids.is_empty() {
            return Ok(known);
        }
        self.load_commit_filters(&segments).await?;
        for segment in &segments {
            if self.may_hold(segment, &ids) {
                self.search_segment(segment, &mut ids, &mut known).await?;
            }
        }
        Ok(known)
    }

    fn may_hold(&self, segment: &Directory, ids: &HashSet<&str>) -> bool {
        let filters = self.commit_filters.borrow();
        let block = BlockId::new(segment, segment.commit_filter_block());
        // Cleared meanwhile by a reload: better to read too much than to miss an id.
        let filter = filters.get(&block).map(Vec::as_slice).unwrap_or_default();
        ids.iter().any(|id| filter::may_contain(filter, id.as_bytes()))
    }

    /// Moves what a segment holds from `ids` to `known`.
    async fn search_segment(
        &self,
        segment: &Directory,
        ids: &mut HashSet<&str>,
        known: &mut HashMap<String, Receipt>,
    ) -> Result<(), BlocksError> {
        let blocks: Vec<BlockId> = (segment.first_commit_block()..segment.first_stream_block())
            .map(|number| BlockId::new(segment, number))
            .collect();
        for content in self.blocks.get(&*self.storage, &blocks).await? {
            let commits = read_commits(&content).map_err(|reason| StoreError::format("a block of commits", reason))?;
            for commit in &commits {
                let id = read_commit(commit.header)
                    .map_err(|reason| StoreError::format("a commit", reason))?
                    .id;
                if ids.remove(&*id) {
                    known.insert(id.into_owned(), receipt(commit)?);
                }
            }
        }
        Ok(())
    }

    /// Reads the commit filters of segments that are not in memory yet.
    async fn load_commit_filters(&self, segments: &[Rc<Directory>]) -> Result<(), BlocksError> {
        let missing: Vec<_> = segments
            .iter()
            .map(|segment| BlockId::new(segment, segment.commit_filter_block()))
            .filter(|block| !self.commit_filters.borrow().contains_key(block))
            .collect();
        if missing.is_empty() {
            return Ok(());
        }
        let reads = missing
            .iter()
            .map(|block| Read::Get(Table::Blocks, block.key()))
            .collect();
        let found = self.blocks.ask(&*self.storage, reads).await?;
        for (block, entries) in missing.into_iter().zip(found) {
            let entry = entries.into_iter().next().ok_or(BlocksError::Vanished)?;
            let filter = unpack(&entry.value).map_err(|reason| StoreError::format(block.to_string(), reason))?;
            self.commit_filters.borrow_mut().insert(block, filter);
        }
        Ok(())
    }
}

fn receipt(commit: &RecordedCommit<'_>) -> Result<Receipt, StoreError> {
    let fields = read_commit(commit.header).map_err(|reason| StoreError::format("a commit", reason))?;
    Ok(Receipt {
        commit_id: fields.id.into_owned(),
        attempt: fields.attempt,
        position: commit.position,
        streams: commit
            .streams
            .iter()
            .map(|span| {
                (
                    span.stream.to_owned(),
                    span.first,
                    Version(span.first.0 + span.events - 1),
                )
            })
            .collect(),
        pending: false,
        digest: fields.digest.to_vec(),
    })
}
