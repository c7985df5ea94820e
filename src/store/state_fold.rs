//! Folding one stream into the state of an aggregate written in Rust.

use std::fmt;

use super::fold_error::FoldError;
use super::load::{LoadQuery, StreamSink};
use super::snapshots::Snapshot;
use super::storage::Storage;
use super::typed_event::typed_event;
use super::{Store, StoreError};
use crate::decider::Decider;
use crate::log::block::Recorded;
use crate::log::event::EventFields;
use crate::log::record::CommitStatus;
use crate::stream::Version;

/// The schema version of every event that a decider in Rust writes and reads.
const SCHEMA_VERSION: u64 = 1;

/// The state of any aggregate, while its stream is loaded.
pub(crate) trait AnyState: StreamSink + fmt::Debug {
    /// The version folded to and the state, JSON.
    fn finish(self: Box<Self>) -> Result<(Version, String), FoldError>;
}

/// The state of an aggregate, while its stream is loaded.
pub(crate) struct StateFold<D: Decider> {
    state: Option<D::State>,
    version: Version,
    failure: Option<FoldError>,
}

impl<D: Decider> StateFold<D> {
    /// To be loaded into.
    pub(crate) fn new() -> Self {
        Self {
            state: None,
            version: Version(0),
            failure: None,
        }
    }

    fn into_state(self) -> Result<(Version, D::State), FoldError> {
        match self.failure {
            Some(failure) => Err(failure),
            None => Ok((self.version, self.state.unwrap_or_else(D::initial_state))),
        }
    }
}

impl<D: Decider> fmt::Debug for StateFold<D> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} at version {}", D::NAME, self.version)
    }
}

impl<D: Decider> StreamSink for StateFold<D> {
    fn begin(&mut self, snapshot: Option<&Snapshot>) {
        *self = Self::new();
        if let Some(snapshot) = snapshot {
            self.version = snapshot.version;
            match serde_json::from_str(&snapshot.state) {
                Ok(state) => self.state = Some(state),
                Err(error) => self.failure = Some(not_json::<D>(snapshot.version, &error)),
            }
        }
    }

    fn put(&mut self, event: &Recorded<'_>, fields: &EventFields<'_>, _: CommitStatus) -> Result<(), StoreError> {
        if self.failure.is_none() {
            match typed_event(D::NAME, SCHEMA_VERSION, event, fields) {
                Ok(happened) => {
                    let state = self.state.take().unwrap_or_else(D::initial_state);
                    self.state = Some(D::evolve(state, &happened));
                    self.version = event.version;
                }
                Err(failure) => self.failure = Some(failure),
            }
        }
        Ok(())
    }
}

impl<D: Decider> AnyState for StateFold<D> {
    fn finish(self: Box<Self>) -> Result<(Version, String), FoldError> {
        let (version, state) = self.into_state()?;
        match serde_json::to_string(&state) {
            Ok(state) => Ok((version, state)),
            Err(error) => Err(not_json::<D>(version, &error)),
        }
    }
}

fn not_json<D: Decider>(version: Version, error: &serde_json::Error) -> FoldError {
    FoldError::State {
        definition: D::NAME,
        version,
        reason: error.to_string(),
    }
}

impl<S: Storage> Store<S> {
    /// Folds a stream, from a snapshot if one serves.
    pub(crate) async fn fold_state<D: Decider>(&self, stream: &str) -> Result<(Version, D::State), FoldError> {
        let mut fold = StateFold::<D>::new();
        let query = LoadQuery {
            definition: Some((D::NAME, D::VERSION.into())),
            snapshot_every: Some(D::SNAPSHOT_EVERY),
            ..LoadQuery::default()
        };
        self.load_into(stream, query, &mut fold).await?;
        fold.into_state()
    }
}
