//! How much a store holds.

use serde::Serialize;

use super::projections::ProjectionState;
use super::storage::{KeyRange, Read, Storage, Table};
use super::{Store, StoreError, log};
use crate::position::Position;
use crate::stream::Version;

/// Numbers about a store, from what this instance knows of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Stats {
    /// Events in the log.
    pub events: u64,
    /// Streams with at least one event.
    pub streams: u64,
    /// Sealed segments.
    pub segments: u64,
    /// Records of the journal that are not sealed.
    pub journal_records: u64,
    /// Commits that the server has not taken yet.
    pub pending: u64,
    /// Bytes of segments and journal, without the database's own.
    pub bytes: u64,
    /// Snapshots kept.
    pub snapshots: u64,
    /// Each projection version that has rows.
    pub projections: Vec<ProjectionStats>,
}

/// Numbers about one projection version.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ProjectionStats {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: u32,
    /// Where it stands.
    #[serde(flatten)]
    pub state: ProjectionState,
    /// How many positions it is behind the confirmed log.
    pub lag: u64,
}

impl<S: Storage> Store<S> {
    /// Counts what the store holds. Costs two small reads.
    pub async fn stats(&self) -> Result<Stats, StoreError> {
        self.ready().await?;
        let snapshots = self
            .storage
            .read(vec![Read::Count(Table::Snapshots, KeyRange::ALL)])
            .await?;
        let projections = self.all_projections().await?;
        let log = self.log.borrow();
        let Position(events) = log.position();
        let begun = log
            .tail
            .events()
            .iter()
            .filter(|event| event.recorded().version == Version(1))
            .count() as u64;
        Ok(Stats {
            events,
            streams: log.segments.iter().map(|segment| segment.streams_begun).sum::<u64>() + begun,
            segments: log.segments.len() as u64,
            journal_records: log.journal_records(),
            pending: log.pending(),
            bytes: log.segments.iter().map(|segment| segment.bytes).sum::<u64>() + log.tail.bytes(),
            snapshots: snapshots
                .into_iter()
                .flatten()
                .next()
                .map_or(0, |entry| log::number(&entry.key)),
            projections: projections
                .into_iter()
                .map(|(name, version, state)| {
                    let lag = log.confirmed().0.saturating_sub(state.checkpoint.0);
                    ProjectionStats {
                        name,
                        version,
                        state,
                        lag,
                    }
                })
                .collect(),
        })
    }
}
