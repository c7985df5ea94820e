//! Whether a stored log is the one that was confirmed: each commit is read, digested and chained again.

use super::chain::{Hash, digest, next_hash};
use super::commit::WireCommit;
use super::cursor::Head;
use super::space_log::StoredText;
use crate::json::parse;

/// Follows a log from its beginning, or from a place that is known to be good, commit by commit.
///
/// Every bit of a commit is covered: what the hashes do not say, how it is written, must be as it is always written.
#[derive(Debug, Clone)]
pub struct ChainCheck {
    head: Head,
}

/// A commit that is not what was confirmed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the log is damaged at commit {number}: {reason}; restore the space from a backup")]
pub struct BrokenChain {
    /// Its place.
    pub number: u64,
    /// What is wrong with it.
    pub reason: String,
}

impl ChainCheck {
    /// From this place, [`Head::first`] for a whole log.
    pub fn new(from: Head) -> Self {
        Self { head: from }
    }

    /// Checks the next commit, and gives it with its digest.
    pub fn next<'t>(&mut self, stored: &'t StoredText) -> Result<(WireCommit<'t>, Hash), BrokenChain> {
        let number = self.head.number + 1;
        let broken = |reason: String| BrokenChain { number, reason };
        if stored.number != number {
            return Err(broken(format!("commit {} is in its place", stored.number)));
        }
        let commit: WireCommit<'_> = parse(&stored.text).map_err(|error| broken(error.to_string()))?;
        let mut written = String::with_capacity(stored.text.len());
        commit.write(&mut written);
        if written != stored.text || commit.number != Some(number) {
            return Err(broken("it is not written as it was".to_owned()));
        }
        let digest = digest(&commit);
        let hash = next_hash(&self.head.hash, &commit, &digest);
        if hash != stored.hash {
            return Err(broken(format!("its hash is {hash}, {} is stored", stored.hash)));
        }
        self.head = Head { number, hash };
        Ok((commit, digest))
    }

    /// Checks that the log ends where it should.
    pub fn end(self, head: &Head) -> Result<(), BrokenChain> {
        if self.head == *head {
            return Ok(());
        }
        let reason = format!(
            "the log ends there, it should end at {} with {}",
            head.number, head.hash
        );
        Err(BrokenChain {
            number: self.head.number + 1,
            reason,
        })
    }

    /// How far it is.
    pub fn head(&self) -> &Head {
        &self.head
    }
}
