//! Why a store could not do what it was asked.

use super::StorageError;
use crate::log::FormatError;
use crate::stream::InvalidId;

/// An error of a store. Nothing was half-written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// Storage refused.
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// A stored record is damaged. Everything else stays readable.
    #[error("{record} is damaged: {reason}")]
    Corrupt {
        /// Which record.
        record: String,
        /// What is wrong with it.
        reason: FormatError,
    },
    /// Positions, versions or journal numbers have a gap or overlap.
    #[error("{record} does not follow what is before it: found {found}, expected {expected}")]
    Gap {
        /// Which record.
        record: String,
        /// What stands there.
        found: u64,
        /// What should.
        expected: u64,
    },
    /// It was written by a later release and is untouched.
    #[error("{record} was written by a later release: {reason}")]
    Newer {
        /// Which record.
        record: String,
        /// What this release does not know.
        reason: FormatError,
    },
    /// An event is in an encoding that this release does not know.
    #[error("event {position} of {stream} has encoding {encoding}, which this release does not know")]
    UnknownEncoding {
        /// Its position.
        position: u64,
        /// Its stream.
        stream: String,
        /// Its encoding.
        encoding: u64,
    },
    /// An argument makes no sense.
    #[error("{0}")]
    InvalidArgument(String),
    /// The id of a stream or commit is not one.
    #[error(transparent)]
    InvalidId(#[from] InvalidId),
    /// The store has events and the import was not to be merged.
    #[error("the store holds {0} events; an import without merge needs an empty one")]
    NotEmpty(u64),
    /// The import file uses the id of a commit of this store for other content.
    #[error("commit id {0} is used for other content")]
    CommitIdReused(String),
    /// Other tabs changed the store again and again while this was tried.
    #[error("the store kept changing, tried {0} times")]
    Contended(u32),
}

impl StoreError {
    /// The error of a record whose bytes are not right.
    pub(crate) fn format(record: impl Into<String>, reason: FormatError) -> Self {
        let record = record.into();
        match reason {
            FormatError::Newer { .. } => Self::Newer { record, reason },
            reason => Self::Corrupt { record, reason },
        }
    }
}
