//! Finding the versions of streams: what the tail and earlier answers do not tell is searched for in
//! the segments, newest first, for all streams together. Each block is decoded once a round.

use std::collections::{HashMap, HashSet};

use futures_util::FutureExt;

use super::blocks::{BlockId, BlocksError};
use super::log::Log;
use super::storage::Storage;
use super::{Store, StoreError};
use crate::log::block::EventsReader;
use crate::stream::Version;

/// Blocks read in one transaction.
const BLOCKS_AT_ONCE: usize = 128;

impl<S: Storage> Store<S> {
    /// The versions of `streams`. For whoever holds `writing`.
    pub(crate) async fn find_heads(&self, streams: HashSet<&str>) -> Result<HashMap<String, Version>, BlocksError> {
        let streams: Vec<&str> = streams.into_iter().collect();
        let heads = self.heads_of(&streams).await?;
        Ok(streams.into_iter().map(str::to_owned).zip(heads).collect())
    }

    /// The versions of `streams` in the confirmed log. For whoever holds `writing`.
    pub(crate) async fn confirmed_heads(
        &self,
        streams: HashSet<String>,
    ) -> Result<HashMap<String, Version>, BlocksError> {
        let names: Vec<&str> = streams.iter().map(String::as_str).collect();
        let heads = self.heads_by(&names, Log::confirmed_head).await?;
        Ok(streams.into_iter().zip(heads).collect())
    }

    /// The version of each of `streams`, in their order, none of them twice. For whoever holds `writing`.
    pub(crate) async fn heads_of(&self, streams: &[&str]) -> Result<Vec<Version>, BlocksError> {
        self.heads_by(streams, Log::head).await
    }

    async fn heads_by(
        &self,
        streams: &[&str],
        known: fn(&Log, &str) -> Option<Version>,
    ) -> Result<Vec<Version>, BlocksError> {
        let mut heads = Vec::with_capacity(streams.len());
        let mut open = Vec::new();
        {
            let mut log = self.log.borrow_mut();
            for (place, stream) in streams.iter().enumerate() {
                let head = known(&log, stream);
                heads.push(head.unwrap_or_default());
                if head.is_none() {
                    match log.blocks_of(stream, Version(u64::MAX)) {
                        blocks if blocks.is_empty() => log.keep_head(stream, Version(0)),
                        blocks => open.push((place, blocks)),
                    }
                }
            }
        }
        if !open.is_empty() {
            self.look_up(streams, open, &mut heads).boxed_local().await?;
        }
        Ok(heads)
    }

    /// Finds the versions of those streams that are not known, at these places, with the blocks that may hold them, oldest
    /// first.
    async fn look_up(
        &self,
        streams: &[&str],
        mut open: Vec<(usize, Vec<BlockId>)>,
        heads: &mut [Version],
    ) -> Result<(), BlocksError> {
        while !open.is_empty() {
            let mut wanted: HashMap<BlockId, HashMap<&str, usize>> = HashMap::new();
            for (place, blocks) in &mut open {
                if let (Some(block), Some(stream)) = (blocks.pop(), streams.get(*place)) {
                    wanted.entry(block).or_default().insert(stream, *place);
                }
            }
            let round: Vec<BlockId> = wanted.keys().copied().collect();
            for blocks in round.chunks(BLOCKS_AT_ONCE) {
                let contents = self.blocks.get(&*self.storage, blocks).await?;
                for (block, content) in blocks.iter().zip(contents) {
                    if let Some(places) = wanted.get(block) {
                        last_versions(&content, places, heads)?;
                    }
                }
            }
            let mut log = self.log.borrow_mut();
            open.retain(|(place, blocks)| {
                let head = heads.get(*place).copied().unwrap_or_default();
                if head.0 == 0 && !blocks.is_empty() {
                    return true;
                }
                if let Some(stream) = streams.get(*place) {
                    log.keep_head(stream, head);
                }
                false
            });
        }
        Ok(())
    }
}

/// Sets the versions of those streams that a block holds events of.
fn last_versions(content: &[u8], places: &HashMap<&str, usize>, heads: &mut [Version]) -> Result<(), StoreError> {
    let (mut stream, mut place) = ("", None);
    for event in EventsReader::new(content) {
        let event = event.map_err(|reason| StoreError::format("a block of events", reason))?;
        if event.stream != stream {
            stream = event.stream;
            place = places.get(stream);
        }
        if let Some(head) = place.and_then(|place| heads.get_mut(*place)) {
            *head = event.version;
        }
    }
    Ok(())
}
