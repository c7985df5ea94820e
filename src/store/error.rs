//! Why a store could not do what it was asked.
//!
//! An error is one pointer: nearly every function of the store hands one on, and what is as large as the largest reason
//! would be copied and dropped in each of them.

use super::StorageError;
use crate::log::FormatError;
use crate::position::Position;
use crate::stream::InvalidId;

/// An error of a store. Nothing was half-written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(transparent)]
pub struct StoreError(Box<StoreErrorKind>);

/// What a [`StoreError`] is about.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum StoreErrorKind {
    /// Storage refused.
    #[error(transparent)]
    Storage(StorageError),
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
    InvalidId(InvalidId),
    /// The store has events and the import was not to be merged.
    #[error("the store holds {0} events; an import without merge needs an empty one")]
    NotEmpty(u64),
    /// The import file uses the id of a commit of this store for other content.
    #[error("commit id {0} is used for other content")]
    CommitIdReused(String),
    /// The store is not bound to a space, or to another one than asked for.
    #[error("the store is bound to {0}")]
    Bound(String),
    /// Another tab leads now: what this one was about to write is out of date.
    #[error("another tab leads by now")]
    Fenced,
    /// What the server says is not what it said before, or not what is here. Nothing was changed.
    #[error("the log of the server is not the one that is stored here: {0}")]
    Diverged(String),
    /// An answer of the server is not what the protocol says. Nothing was changed.
    #[error("an answer of the server is not what the protocol says: {0}")]
    Protocol(String),
    /// Other tabs changed the store again and again while this was tried.
    #[error("the store kept changing, tried {0} times")]
    Contended(u32),
    /// What is done part by part cannot go on where it was: begin anew.
    #[error("{0} was interrupted and has to begin anew")]
    Interrupted(&'static str),
}

impl StoreError {
    /// What it is about.
    pub fn kind(&self) -> &StoreErrorKind {
        &self.0
    }

    /// What it is about, to keep.
    pub fn into_kind(self) -> StoreErrorKind {
        *self.0
    }

    /// The error of a record whose bytes are not right.
    #[cold]
    pub(crate) fn format(record: impl Into<String>, reason: FormatError) -> Self {
        Self::format_of(record.into(), reason)
    }

    #[cold]
    #[inline(never)]
    fn format_of(record: String, reason: FormatError) -> Self {
        let kind = match reason {
            FormatError::Newer { .. } => StoreErrorKind::Newer { record, reason },
            reason => StoreErrorKind::Corrupt { record, reason },
        };
        kind.into()
    }

    /// The error of a number that is not the one that was expected.
    #[cold]
    #[inline(never)]
    pub(crate) fn gap(record: String, found: u64, expected: u64) -> Self {
        StoreErrorKind::Gap {
            record,
            found,
            expected,
        }
        .into()
    }

    /// The error of an event in an unknown encoding.
    #[cold]
    #[inline(never)]
    pub(crate) fn unknown_encoding(position: Position, stream: &str, encoding: u64) -> Self {
        StoreErrorKind::UnknownEncoding {
            position: position.0,
            stream: stream.to_owned(),
            encoding,
        }
        .into()
    }

    /// The error of an answer that is not what the protocol says.
    #[cold]
    #[inline(never)]
    pub(crate) fn protocol(reason: String) -> Self {
        StoreErrorKind::Protocol(reason).into()
    }

    /// The error of a log of the server that is another one than here.
    #[cold]
    #[inline(never)]
    pub(crate) fn diverged(reason: String) -> Self {
        StoreErrorKind::Diverged(reason).into()
    }

    /// The error of what was tried in vain again and again.
    #[cold]
    #[inline(never)]
    pub(crate) fn contended(tries: u32) -> Self {
        StoreErrorKind::Contended(tries).into()
    }
}

impl From<StoreErrorKind> for StoreError {
    #[cold]
    #[inline(never)]
    fn from(kind: StoreErrorKind) -> Self {
        Self(Box::new(kind))
    }
}

impl From<StorageError> for StoreError {
    #[cold]
    #[inline(never)]
    fn from(error: StorageError) -> Self {
        StoreErrorKind::Storage(error).into()
    }
}

impl From<InvalidId> for StoreError {
    fn from(error: InvalidId) -> Self {
        StoreErrorKind::InvalidId(error).into()
    }
}
