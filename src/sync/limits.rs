//! Limits: what a server takes at once.

use super::space_log::PageLimit;
use crate::commit::{MAX_COMMIT_BYTES, MAX_COMMIT_EVENTS};
use crate::json::ObjectWriter;

/// How long a claim holds without a push, in milliseconds.
pub(super) const CLAIM_HOLDS: i64 = 600_000;

/// What a server takes and gives at once. It tells them to whoever asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of a commit's command, stream ids, types, metadata and data.
    pub commit_bytes: usize,
    /// Events of a commit.
    pub commit_events: usize,
    /// Bytes of the body of a push.
    pub push_bytes: usize,
    /// Commits of a push.
    pub push_commits: usize,
    /// Commits of a page that asked for more.
    pub page_commits: usize,
    /// Bytes of a page that asked for more.
    pub page_bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            commit_bytes: MAX_COMMIT_BYTES,
            commit_events: MAX_COMMIT_EVENTS,
            push_bytes: 4 << 20,
            push_commits: 2_000,
            page_commits: 10_000,
            page_bytes: 8 << 20,
        }
    }
}

impl Limits {
    /// What a page holds if nothing was asked for.
    const PAGE: PageLimit = PageLimit {
        commits: 1_000,
        bytes: 1 << 20,
    };

    /// The size of a page that asked for so much.
    pub fn page(&self, commits: Option<usize>, bytes: Option<usize>) -> PageLimit {
        PageLimit {
            commits: commits.unwrap_or(Self::PAGE.commits).clamp(1, self.page_commits),
            bytes: bytes.unwrap_or(Self::PAGE.bytes).min(self.page_bytes),
        }
    }

    /// Appends its JSON.
    pub fn write(&self, out: &mut String) {
        let mut object = ObjectWriter::new(out);
        for (name, limit) in [
            ("commitBytes", self.commit_bytes),
            ("commitEvents", self.commit_events),
            ("pushBytes", self.push_bytes),
            ("pushCommits", self.push_commits),
            ("pageCommits", self.page_commits),
            ("pageBytes", self.page_bytes),
        ] {
            object.number(name, limit as i64);
        }
        object.end();
    }
}
