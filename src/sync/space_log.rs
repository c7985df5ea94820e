//! What a server stores: a log per space, with compare-and-set on its head.
//!
//! Small on purpose, so that another engine can follow: a table, a stream, an append-only file. An
//! implementation passes the suite in `tests/space_log`.

use std::future::Future;
use std::sync::Arc;

use super::chain::Hash;
use super::cursor::{Epoch, Head};
use crate::stream::Version;

/// Logs by the name of their space.
///
/// What was appended is read by everybody from then on, numbers are dense, and ids and versions are those of
/// the commits that can be read. Nothing is cached that a failed append has not written.
pub trait SpaceLog: Send + Sync {
    /// How a space is; none if there is no such space.
    fn space(&self, space: &str) -> impl Future<Output = Result<Option<SpaceState>, LogError>> + Send;

    /// Makes a space with this epoch. If there is one, it is left as it is.
    fn create(&self, space: &str, epoch: Epoch) -> impl Future<Output = Result<SpaceState, LogError>> + Send;

    /// What the log holds under each of these ids.
    fn find(
        &self,
        space: &str,
        ids: &[&str],
    ) -> impl Future<Output = Result<Vec<Option<KnownCommit>>, LogError>> + Send;

    /// The version of each of these streams, 0 for one without events.
    fn versions(&self, space: &str, streams: &[&str]) -> impl Future<Output = Result<Vec<Version>, LogError>> + Send;

    /// Appends in one transaction, which is on disk before the answer, if the space is still as `expected` says:
    /// its epoch, head and claim. `claim` is what holds afterwards.
    fn append(
        &self,
        space: &str,
        expected: &SpaceState,
        commits: &[StoredCommit],
        claim: Option<&Claim>,
    ) -> impl Future<Output = Result<Appended, LogError>> + Send;

    /// Commits after number `after` in their order, as many as the limit allows but at least one if there is one,
    /// and never across a hole.
    fn read(
        &self,
        space: &str,
        after: u64,
        limit: PageLimit,
    ) -> impl Future<Output = Result<Vec<StoredText>, LogError>> + Send;

    /// As [`read`](Self::read), but only commits that write this stream, from that which has the event after
    /// version `after`.
    fn read_stream(
        &self,
        space: &str,
        stream_id: &str,
        after: Version,
        limit: PageLimit,
    ) -> impl Future<Output = Result<Vec<StoredText>, LogError>> + Send;

    /// The hash of the chain at a number, of its beginning at 0; none beyond the head.
    fn hash_at(&self, space: &str, number: u64) -> impl Future<Output = Result<Option<Hash>, LogError>> + Send;
}

/// A log that is shared.
impl<L: SpaceLog> SpaceLog for Arc<L> {
    fn space(&self, space: &str) -> impl Future<Output = Result<Option<SpaceState>, LogError>> + Send {
        L::space(self, space)
    }

    fn create(&self, space: &str, epoch: Epoch) -> impl Future<Output = Result<SpaceState, LogError>> + Send {
        L::create(self, space, epoch)
    }

    fn find(
        &self,
        space: &str,
        ids: &[&str],
    ) -> impl Future<Output = Result<Vec<Option<KnownCommit>>, LogError>> + Send {
        L::find(self, space, ids)
    }

    fn versions(&self, space: &str, streams: &[&str]) -> impl Future<Output = Result<Vec<Version>, LogError>> + Send {
        L::versions(self, space, streams)
    }

    fn append(
        &self,
        space: &str,
        expected: &SpaceState,
        commits: &[StoredCommit],
        claim: Option<&Claim>,
    ) -> impl Future<Output = Result<Appended, LogError>> + Send {
        L::append(self, space, expected, commits, claim)
    }

    fn read(
        &self,
        space: &str,
        after: u64,
        limit: PageLimit,
    ) -> impl Future<Output = Result<Vec<StoredText>, LogError>> + Send {
        L::read(self, space, after, limit)
    }

    fn read_stream(
        &self,
        space: &str,
        stream_id: &str,
        after: Version,
        limit: PageLimit,
    ) -> impl Future<Output = Result<Vec<StoredText>, LogError>> + Send {
        L::read_stream(self, space, stream_id, after, limit)
    }

    fn hash_at(&self, space: &str, number: u64) -> impl Future<Output = Result<Option<Hash>, LogError>> + Send {
        L::hash_at(self, space, number)
    }
}

/// How a space is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SpaceState {
    /// The life of its log.
    pub epoch: Epoch,
    /// The end of its log.
    pub head: Head,
    /// Who is adopting a history into it.
    pub claim: Option<Claim>,
    /// Earlier lives of its log, the oldest first, but for one that was come back to: what each has in common with the next
    /// one is the most that it and those before it have in common with all after it.
    pub past: Vec<PastEpoch>,
}

/// That a device is adopting its history into a space.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claim {
    /// The device.
    pub replica: String,
    /// When it pushed last: milliseconds since the epoch.
    pub pushed_at: i64,
}

/// An earlier life of a log, and the last commit that it has in common with the next one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PastEpoch {
    /// The life.
    pub epoch: Epoch,
    /// Where the next one parts from it.
    pub forked_at: Head,
}

/// What the log holds under an id.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KnownCommit {
    /// Its place.
    pub number: u64,
    /// How often it was decided.
    pub attempt: u64,
    /// What it says.
    pub digest: Hash,
}

/// A commit to store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredCommit {
    /// Its place: the one after the commit before it.
    pub number: u64,
    /// Its id.
    pub id: String,
    /// How often it was decided.
    pub attempt: u64,
    /// What it says.
    pub digest: Hash,
    /// The hash of the chain at it.
    pub hash: Hash,
    /// The confirmed commit as JSON, as it goes over the wire.
    pub text: String,
    /// The streams that it writes, with their versions afterwards.
    pub streams: Vec<(String, Version)>,
}

/// A commit that is read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredText {
    /// Its place.
    pub number: u64,
    /// The hash of the chain at it.
    pub hash: Hash,
    /// The confirmed commit as JSON.
    pub text: String,
}

/// How much of a log is read at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PageLimit {
    /// At most so many commits.
    pub commits: usize,
    /// At most so many bytes of text, but for the first commit.
    pub bytes: usize,
}

/// How an append ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Appended {
    /// All is stored.
    Done,
    /// Nothing is: the space is not as expected any more.
    HeadMoved,
}

/// Why a log could not be read or written. After a failed append nobody knows whether it is stored: whoever wants to
/// know looks for the ids.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LogError {
    /// It does not answer.
    #[error("the log does not answer: {0}")]
    Unavailable(String),
    /// It takes no writes at present.
    #[error("the log is read-only: {0}")]
    ReadOnly(String),
    /// There is no room.
    #[error("the log is full: {0}")]
    Full(String),
    /// What is stored is not what was written.
    #[error("the log is damaged: {0}")]
    Damaged(String),
}
