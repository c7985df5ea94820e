//! Why folding stopped, and at which event.

use super::StoreError;
use crate::log::FormatError;
use crate::log::block::Recorded;
use crate::log::commit::read_commit;
use crate::log::event::EventFields;
use crate::position::Position;
use crate::projection::Projection;
use crate::stream::Version;

/// Where an event is, for those who must find it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct EventPlace {
    /// Commit, attempt and place in the commit.
    pub event_id: String,
    /// Its stream.
    pub stream_id: String,
    /// Its place there.
    pub version: Version,
    /// Its place in the log.
    pub position: Position,
    /// Its type.
    pub event_type: String,
}

impl EventPlace {
    pub(crate) fn of(event: &Recorded<'_>, fields: &EventFields<'_>) -> Self {
        let event_id = read_commit(event.envelope).map_or_else(
            |_| String::new(),
            |commit| format!("{}:{}:{}", commit.id, commit.attempt, event.index),
        );
        Self {
            event_id,
            stream_id: event.stream.to_owned(),
            version: event.version,
            position: event.position,
            event_type: String::from_utf8_lossy(fields.event_type).into_owned(),
        }
    }
}

/// Why folding stopped.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FoldError {
    /// An event is not what the definition's type for events knows.
    #[error("{definition} stopped at event {} ({}): {reason}", place.event_id, place.event_type)]
    Event {
        /// Name of the projection or aggregate.
        definition: &'static str,
        /// The event.
        place: Box<EventPlace>,
        /// What is wrong with it.
        reason: String,
    },
    /// An event was written by a later release of the app.
    #[error("{definition}: event {} ({}) has schema version {found}, this app knows {known}", place.event_id, place.event_type)]
    Outdated {
        /// Name of the projection or aggregate.
        definition: &'static str,
        /// The event.
        place: Box<EventPlace>,
        /// Its schema version.
        found: u64,
        /// The one that the definition knows.
        known: u64,
    },
    /// A row is not what the projection's type for rows knows, or cannot be stored.
    #[error("{definition}: row {key:?}: {reason}; was its shape changed without a new version?")]
    Row {
        /// Name of the projection.
        definition: &'static str,
        /// The row's key.
        key: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A state is not JSON, or a snapshot is not what the aggregate's type for states knows.
    #[error("{definition}: the state at version {version}: {reason}; was its shape changed without a new version?")]
    State {
        /// Name of the aggregate.
        definition: &'static str,
        /// Of the stream.
        version: Version,
        /// What is wrong with it.
        reason: String,
    },
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl FoldError {
    pub(crate) fn row<P: Projection>(key: &str, reason: &dyn ToString) -> Self {
        Self::Row {
            definition: P::NAME,
            key: key.to_owned(),
            reason: reason.to_string(),
        }
    }

    pub(crate) fn format(event: &Recorded<'_>, reason: FormatError) -> Self {
        StoreError::format(format!("event {}", event.position.0), reason).into()
    }

    /// Name of the definition that stopped.
    pub fn definition(&self) -> Option<&'static str> {
        match self {
            Self::Event { definition, .. }
            | Self::Outdated { definition, .. }
            | Self::Row { definition, .. }
            | Self::State { definition, .. } => Some(definition),
            Self::Store(_) => None,
        }
    }

    /// The event that the definition cannot go past.
    pub fn place(&self) -> Option<&EventPlace> {
        match self {
            Self::Event { place, .. } | Self::Outdated { place, .. } => Some(place),
            Self::Row { .. } | Self::State { .. } | Self::Store(_) => None,
        }
    }
}
