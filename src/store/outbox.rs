//! Leading, and what is pushed: the pending commits, from the first one on.

use std::collections::HashMap;

use super::append::MAX_TRIES;
use super::binding::Binding;
use super::log::Log;
use super::storage::Storage;
use super::wire::pushed;
use super::{Store, StoreError, StoreErrorKind};
use crate::json::ObjectWriter;
use crate::log::commit::read_recorded_at;
use crate::plant::{Plant, is_planted};
use crate::position::Position;
use crate::sync::{Adopt, Cursor, Head, PROTOCOL};

/// How a store stands to its space.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SyncState {
    /// The space.
    pub space: String,
    /// Who works on this device.
    pub subject: String,
    /// Where the next pull begins; none before the server was heard.
    pub cursor: Option<Cursor>,
    /// The last commit that this store has of the space.
    pub head: Head,
    /// How many commits are pending.
    pub pending: u64,
    /// When the first of them was made.
    pub oldest_pending_at: Option<i64>,
    /// Position of the last confirmed event.
    pub confirmed: Position,
    /// Whether pending commits are to be decided again.
    pub rebase: bool,
    /// Whether the space is still taking over the history that was made without it.
    pub adopting: bool,
}

impl SyncState {
    /// Its JSON, a `CoreSyncState`.
    pub fn to_json(&self) -> String {
        let mut out = String::new();
        let mut object = ObjectWriter::new(&mut out);
        object.text("space", &self.space);
        object.text("subject", &self.subject);
        match &self.cursor {
            Some(cursor) => object.text("cursor", &cursor.to_string()),
            None => object.raw("cursor", "null"),
        }
        object.text("hash", &self.head.hash.to_string());
        object.number("number", self.head.number as i64);
        object.number("pending", self.pending as i64);
        match self.oldest_pending_at {
            Some(time) => object.number("oldestPendingAt", time),
            None => object.raw("oldestPendingAt", "null"),
        }
        object.number("confirmed", self.confirmed.0 as i64);
        object.flag("rebase", self.rebase);
        object.flag("adopting", self.adopting);
        object.end();
        out
    }
}

/// The body of a push.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PushBody {
    /// Its JSON.
    pub text: String,
    /// How many commits it has.
    pub commits: usize,
}

/// At most so many bytes are around the commits of a push: cursor, replica.
const AROUND_COMMITS: usize = 1_024;

/// Writes the body of a push commit by commit, as long as it may grow.
pub(crate) struct PushWriter {
    commits: String,
    count: usize,
    max_commits: usize,
    max_bytes: usize,
}

impl PushWriter {
    pub(crate) fn new(max_commits: usize, max_bytes: usize) -> Self {
        Self {
            commits: String::new(),
            count: 0,
            max_commits: max_commits.max(1),
            max_bytes: max_bytes.saturating_sub(AROUND_COMMITS),
        }
    }

    /// False if this commit does not fit in any more. The first always does.
    pub(crate) fn put(&mut self, commit: &crate::sync::WireCommit<'_>) -> bool {
        if self.count >= self.max_commits {
            return false;
        }
        let before = self.commits.len();
        if self.count > 0 {
            self.commits.push(',');
        }
        commit.write(&mut self.commits);
        if self.count > 0 && self.commits.len() > self.max_bytes {
            self.commits.truncate(before);
            return false;
        }
        self.count += 1;
        true
    }

    pub(crate) fn end(self, base: &Cursor, replica: &str, adopt: Option<Adopt>) -> PushBody {
        let mut text = String::with_capacity(self.commits.len() + 256);
        let mut object = ObjectWriter::new(&mut text);
        object.number("protocol", PROTOCOL as i64);
        object.text("base", &base.to_string());
        object.text("replica", replica);
        let out = object.field("commits");
        out.push('[');
        out.push_str(&self.commits);
        out.push(']');
        object.text_if(
            "adopt",
            adopt.map(|adopt| match adopt {
                Adopt::More => "more",
                Adopt::Last => "last",
            }),
        );
        object.end();
        PushBody {
            text,
            commits: self.count,
        }
    }
}

impl Log {
    pub(crate) fn bound(&self) -> Result<&Binding, StoreError> {
        self.binding
            .as_ref()
            .ok_or_else(|| StoreErrorKind::Bound("no space".to_owned()).into())
    }
}

impl<S: Storage> Store<S> {
    /// How the store stands to the space that it is bound to; none if it is not.
    pub async fn sync_state(&self) -> Result<Option<SyncState>, StoreError> {
        self.ready().await?;
        let log = self.log.borrow();
        let Some(binding) = &log.binding else { return Ok(None) };
        let first = log.tail.pending_commits().first();
        let oldest_pending_at = first.map(|commit| read_recorded_at(&commit.header)).transpose();
        Ok(Some(SyncState {
            space: binding.space.clone(),
            subject: binding.subject.clone(),
            cursor: binding.cursor(),
            head: binding.head,
            pending: log.pending(),
            oldest_pending_at: oldest_pending_at.map_err(|reason| StoreError::format("a commit", reason))?,
            confirmed: binding.confirmed,
            rebase: log.tail.undecided().contains(&true),
            adopting: binding.adopted.is_some(),
        }))
    }

    /// Begins to lead: what another instance that led before still writes of pull, rebase and rewind fails.
    pub async fn lead(&self) -> Result<(), StoreError> {
        let _writing = self.writing.lock().await;
        for _ in 0..MAX_TRIES {
            self.check_open()?;
            self.refresh().await?;
            let mut binding = self.log.borrow().bound()?.clone();
            binding.fence += 1;
            if self.write_binding(&binding).await? {
                self.fence.set(Some(binding.fence));
                return Ok(());
            }
        }
        Err(StoreError::contended(MAX_TRIES))
    }

    /// Fails unless this instance was the last to begin to lead, as far as it knows.
    pub(crate) fn check_leads(&self, log: &Log) -> Result<(), StoreError> {
        if Some(log.bound()?.fence) == self.fence.get() || is_planted(Plant::FenceForgotten) {
            Ok(())
        } else {
            Err(StoreErrorKind::Fenced.into())
        }
    }

    /// What to push: pending commits from the first one on, before any that is to be decided again. None if there is
    /// nothing.
    pub async fn push_body(&self, max_commits: usize, max_bytes: usize) -> Result<Option<PushBody>, StoreError> {
        self.ready().await?;
        let log = self.log.borrow();
        let binding = log.bound()?;
        let Some(base) = binding.cursor().filter(|_| binding.adopted.is_none()) else {
            return Ok(None);
        };
        let mut body = PushWriter::new(max_commits, max_bytes);
        let mut attempts = HashMap::new();
        let pending = log.tail.pending_commits().iter().zip(log.tail.undecided());
        let damaged = |reason| StoreError::format("a pending commit", reason);
        let pending = pending.skip(usize::from(
            is_planted(Plant::PushNotFromHead) && log.tail.pending() > 1,
        ));
        let ready = |undecided: bool| !undecided || is_planted(Plant::UndecidedPushed);
        for (commit, _) in pending.take_while(|(_, undecided)| ready(**undecided)) {
            let wire = pushed(&log.tail, commit).map_err(damaged)?;
            // What another device made is no one's work here: it is only given back.
            let foreign = wire.replica == self.identity.replica
                && wire
                    .subject
                    .as_deref()
                    .is_some_and(|subject| subject != binding.subject);
            if foreign || !body.put(&wire) {
                break;
            }
            attempts.insert(commit.id.to_string(), commit.attempt);
        }
        let any = !attempts.is_empty();
        self.pushed.replace(attempts);
        Ok(any.then(|| body.end(&base, &self.identity.replica, None)))
    }
}
