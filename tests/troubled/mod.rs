//! A log in memory whose appends and pages may go wrong.

use std::sync::Arc;

use everfold::stream::Version;
use everfold::sync::{
    Appended, Claim, Epoch, Hash, KnownCommit, LogError, MemoryLog, PageLimit, SpaceLog, SpaceState, StoredCommit,
    StoredText,
};

/// What is to be appended.
pub(crate) struct Append<'a> {
    pub(crate) space: &'a str,
    pub(crate) expected: &'a SpaceState,
    pub(crate) commits: &'a [StoredCommit],
    pub(crate) claim: Option<&'a Claim>,
}

impl Append<'_> {
    /// Appends it, as if nothing were wrong.
    pub(crate) async fn to(&self, log: &MemoryLog) -> Result<Appended, LogError> {
        log.append(self.space, self.expected, self.commits, self.claim).await
    }
}

/// What goes wrong.
pub(crate) trait Trouble: Send + Sync {
    /// What comes of an append.
    fn append(
        &self,
        log: &Arc<MemoryLog>,
        append: Append<'_>,
    ) -> impl Future<Output = Result<Appended, LogError>> + Send;

    /// Whether a commit has been lost.
    fn has_lost(&self, _number: u64) -> bool {
        false
    }
}

/// The log.
#[derive(Debug, Default)]
pub(crate) struct Troubled<T> {
    pub(crate) log: Arc<MemoryLog>,
    pub(crate) trouble: T,
}

impl<T: Trouble> SpaceLog for Troubled<T> {
    async fn space(&self, space: &str) -> Result<Option<SpaceState>, LogError> {
        self.log.space(space).await
    }

    async fn create(&self, space: &str, epoch: Epoch) -> Result<SpaceState, LogError> {
        self.log.create(space, epoch).await
    }

    async fn find(&self, space: &str, ids: &[&str]) -> Result<Vec<Option<KnownCommit>>, LogError> {
        self.log.find(space, ids).await
    }

    async fn versions(&self, space: &str, streams: &[&str]) -> Result<Vec<Version>, LogError> {
        self.log.versions(space, streams).await
    }

    async fn append(
        &self,
        space: &str,
        expected: &SpaceState,
        commits: &[StoredCommit],
        claim: Option<&Claim>,
    ) -> Result<Appended, LogError> {
        let append = Append {
            space,
            expected,
            commits,
            claim,
        };
        self.trouble.append(&self.log, append).await
    }

    async fn read(&self, space: &str, after: u64, limit: PageLimit) -> Result<Vec<StoredText>, LogError> {
        let mut page = self.log.read(space, after, limit).await?;
        page.retain(|commit| !self.trouble.has_lost(commit.number));
        Ok(page)
    }

    async fn read_stream(
        &self,
        space: &str,
        stream_id: &str,
        after: Version,
        limit: PageLimit,
    ) -> Result<Vec<StoredText>, LogError> {
        self.log.read_stream(space, stream_id, after, limit).await
    }

    async fn hash_at(&self, space: &str, number: u64) -> Result<Option<Hash>, LogError> {
        self.log.hash_at(space, number).await
    }
}
