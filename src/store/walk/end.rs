//! The end of a walk: its record of the journal, and what the app is told.

use super::verdict::Verdict;
use super::{Walk, damaged};
use crate::log::commit::{read_commit, split_commit};
use crate::log::record::{RecordKind, SyncRecord};
use crate::store::decision::Rebased;
use crate::store::refusals::{Refusal, RefusalKind};
use crate::store::tail::Tail;
use crate::store::{Progress, StoreError};

impl Walk {
    /// Whether there was nothing to decide.
    pub(in crate::store) fn changes_nothing(&self) -> bool {
        let mut verdicts = self.commits.iter().zip(&self.verdicts);
        verdicts.all(|((_, undecided), verdict)| match verdict {
            Verdict::Stays => !undecided,
            Verdict::Blocked => *undecided,
            _ => false,
        })
    }

    /// Its record of the journal.
    pub(in crate::store) fn record(&self, number: u64) -> Vec<u8> {
        let (mut commits, mut dropped, mut undecided) = (Vec::new(), Vec::new(), Vec::new());
        for ((commit, _), verdict) in self.commits.iter().zip(&self.verdicts) {
            match verdict {
                Verdict::Refused { .. } => {
                    dropped.push(&*commit.id);
                    continue;
                }
                Verdict::Becomes(bytes) => commits.push(bytes.as_slice()),
                Verdict::Stays | Verdict::Blocked => {}
            }
            undecided.push(matches!(verdict, Verdict::Blocked));
        }
        SyncRecord {
            kind: RecordKind::Rebased,
            number,
            end: self.position,
            commits: &commits,
            dropped: &dropped,
            undecided: &undecided,
            pending: undecided.len() as u64,
        }
        .encode()
    }

    /// What the app is to be told of, beside what is pending.
    pub(in crate::store) fn refusals(&self, tail: &Tail) -> Result<Vec<Refusal>, StoreError> {
        let mut refusals = Vec::new();
        for ((commit, _), verdict) in self.commits.iter().zip(&self.verdicts) {
            let Some(commit) = tail.commit(&commit.id) else {
                continue;
            };
            match verdict {
                Verdict::Refused { reason, state_seen } => refusals.push(Refusal {
                    state_seen: state_seen.clone(),
                    ..Refusal::of(tail, commit, RefusalKind::Refused, reason)
                }),
                Verdict::Becomes(bytes) if attempt_of(bytes)? != commit.attempt => refusals.push(Refusal {
                    after: bytes.clone(),
                    ..Refusal::of(tail, commit, RefusalKind::Changed, "")
                }),
                _ => {}
            }
        }
        Ok(refusals)
    }

    /// What it came to.
    pub(in crate::store) fn end(self, progress: Progress) -> Rebased {
        let (mut changed, mut refused) = (Vec::new(), Vec::new());
        for ((commit, _), verdict) in self.commits.iter().zip(&self.verdicts) {
            match verdict {
                Verdict::Refused { .. } => refused.push(commit.id.to_string()),
                Verdict::Becomes(bytes) if attempt_of(bytes).ok() != Some(commit.attempt) => {
                    changed.push(commit.id.to_string());
                }
                _ => {}
            }
        }
        Rebased {
            progress,
            changed,
            refused,
            violated: self.violated,
            blocked: self.blocked,
        }
    }
}

fn attempt_of(bytes: &[u8]) -> Result<u64, StoreError> {
    let parts = split_commit(bytes).map_err(damaged)?;
    read_commit(&parts.header).map(|fields| fields.attempt).map_err(damaged)
}
