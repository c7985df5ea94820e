//! Rewinding: the log of the server has begun another life, and the one here goes back to where the two part.
//!
//! Commits of this device above that place are pending again; those of others, which the server has lost, are kept
//! among the refusals until the app says what becomes of them, or are given back to it as facts. An id is judged before
//! anything else: whoever gives a commit back, the log holds it once.

use std::collections::HashSet;

use super::append::MAX_TRIES;
use super::binding::Binding;
use super::blocks::BlocksError;
use super::confirmed::{ConfirmedCommit, Place};
use super::cut::Lifted;
use super::refusals::{Refusal, RefusalKind, decoded};
use super::storage::{Change, Check, KeyRange, Read, Storage, Table, Write};
use super::wire::StreamBytes;
use super::{Progress, Store, StoreError, StoreErrorKind};
use crate::commit::Mode;
use crate::log::FormatError;
use crate::log::commit::{CommitFields, StreamFields, join_commit, put_header, read_commit, split_commit};
use crate::position::Position;
use crate::stream::ExpectedVersion;
use crate::sync::{EpochChanged, Head};

/// What becomes of commits of others that the server has lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Recovery {
    /// They are kept among the refusals.
    #[default]
    Ask,
    /// They are pending: facts that keep their ids.
    Auto,
    /// They are gone.
    Discard,
}

impl Recovery {
    /// That of this name.
    pub fn named(name: &str) -> Option<Self> {
        match name {
            "ask" => Some(Self::Ask),
            "auto" => Some(Self::Auto),
            "discard" => Some(Self::Discard),
            _ => None,
        }
    }
}

/// A header of a confirmed commit as it was before the server had it.
pub(crate) fn unconfirmed(header: &[u8]) -> Result<Vec<u8>, FormatError> {
    let fields = CommitFields {
        actor: None,
        received_at: None,
        ..read_commit(header)?
    };
    Ok(encoded(&fields))
}

/// The same as that of a fact, which needs to have read nothing.
pub(crate) fn as_fact(header: &[u8]) -> Result<Vec<u8>, FormatError> {
    let fields = read_commit(header)?;
    Ok(encoded(&fact(fields)))
}

/// A header of an orphan that is given back. What was an intent is something else as a fact: its device may be giving it
/// back too, and the same attempt must not be two things.
fn given_back(header: &[u8]) -> Result<Vec<u8>, FormatError> {
    let fields = read_commit(header)?;
    let attempt = fields.attempt + u64::from(fields.mode == Mode::Intent);
    Ok(encoded(&fact(CommitFields { attempt, ..fields })))
}

fn fact(fields: CommitFields<'_>) -> CommitFields<'_> {
    CommitFields {
        mode: Mode::Fact,
        reads: Vec::new(),
        actor: None,
        received_at: None,
        ..fields
    }
}

fn encoded(fields: &CommitFields<'_>) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(256);
    put_header(&mut bytes, fields);
    bytes
}

/// What lies above the fork.
#[derive(Default)]
struct Above {
    lifted: Lifted,
    /// Commits of others, as they were confirmed.
    orphans: Vec<(String, Vec<u8>)>,
}

impl Above {
    fn take(&mut self, commit: &ConfirmedCommit<'_>, replica: &str, subject: &str) -> Result<(), FormatError> {
        self.lifted.lift(commit);
        let fields = read_commit(commit.header)?;
        // What someone else did on this device would keep what is pending from being pushed.
        if fields.replica == replica && fields.subject.is_none_or(|other| other == subject) {
            let header = unconfirmed(commit.header)?;
            let undecided = self.lifted.is_to_decide(&header, &commit.streams)?;
            self.lifted.put(&header, commit.streams.iter().cloned(), undecided);
            return Ok(());
        }
        let streams: Vec<_> = commit
            .streams
            .iter()
            .map(|(stream, before, events)| StreamFields {
                stream,
                expected: ExpectedVersion::Exact(*before),
                events: events.clone(),
            })
            .collect();
        let mut bytes = Vec::new();
        join_commit(&mut bytes, commit.header, &streams);
        self.orphans.push((fields.id.into_owned(), bytes));
        Ok(())
    }
}

impl<S: Storage> Store<S> {
    /// Takes the log back to where the server's log of today parts from it, in one transaction. `Diverged`, with nothing
    /// changed, if that place is not in this log.
    pub async fn recover(&self, changed: &EpochChanged, recovery: Recovery) -> Result<Progress, StoreError> {
        let _writing = self.writing.lock().await;
        for _ in 0..MAX_TRIES {
            self.check_open()?;
            if self.doubtful.get() {
                self.refresh().await?;
            }
            self.check_leads(&self.log.borrow())?;
            match self.try_recover(changed, recovery).await {
                Ok(true) => return Ok(self.progress(Vec::new())),
                Ok(false) => self.refresh().await?,
                Err(BlocksError::Store(error)) => return Err(error),
                Err(BlocksError::Vanished) => self.look_for_vanished().await?,
            }
        }
        Err(StoreError::contended(MAX_TRIES))
    }

    async fn try_recover(&self, changed: &EpochChanged, recovery: Recovery) -> Result<bool, BlocksError> {
        let mut binding = self.log.borrow().bound()?.clone();
        if binding.epoch == Some(changed.epoch) {
            return Ok(true);
        }
        let fork = match changed.forked_from {
            Some(fork) => fork,
            // Nothing of any life is here yet.
            None if binding.head.number == 0 => binding.head,
            None => return Err(StoreError::diverged("the server does not know its epoch".to_owned()).into()),
        };
        let here = binding.head;
        binding.epoch = Some(changed.epoch);
        if here.number < fork.number {
            return Ok(self.write_binding(&binding).await?);
        }
        if here.number == fork.number {
            check_fork(&here, &fork)?;
            return Ok(self.write_binding(&binding).await?);
        }
        let mut place = Place::first(&binding.space);
        let mut above = Above::default();
        let (replica, adopting) = (&*self.identity.replica, binding.adopted.is_some());
        if fork.number == 0 {
            check_fork(&place.head, &fork)?;
        }
        self.each_confirmed(Position(0), &mut |commit| {
            if place.head.number < fork.number {
                place.pass(commit)?;
                if place.head.number == fork.number {
                    check_fork(&place.head, &fork)?;
                }
                return Ok(true);
            }
            if !adopting {
                let taken = above.take(commit, replica, &binding.subject);
                taken.map_err(|reason| StoreError::format("a commit", reason))?;
            }
            Ok(!adopting)
        })
        .await?;
        check_fork(&place.head, &fork)?;
        binding.head = place.head;
        if adopting {
            // The history that is here stays as it is: the server has less of it.
            binding.adopted = Some(place.position);
            return Ok(self.write_binding(&binding).await?);
        }
        binding.confirmed = place.position;
        self.rewind(&binding, above, recovery).await
    }

    async fn rewind(&self, binding: &Binding, above: Above, recovery: Recovery) -> Result<bool, BlocksError> {
        let Above { mut lifted, orphans } = above;
        let mut refusals = Vec::new();
        let refused = if orphans.is_empty() {
            HashSet::new()
        } else {
            self.kept_refusals().await?
        };
        {
            let log = self.log.borrow();
            let put = lifted.put_pending(&log, true);
            put.map_err(|reason| StoreError::format("a pending commit", reason))?;
            for (id, before) in orphans {
                let waits = maker(&before, &self.identity.replica, &binding.subject);
                let waits = waits
                    .map_err(|reason| StoreError::format("a commit", reason))?
                    .is_some();
                // Under an id is one record, and what was refused here is nowhere else.
                let given_back = !waits && (recovery == Recovery::Auto || refused.contains(&id));
                match recovery {
                    Recovery::Ask | Recovery::Auto if given_back => {
                        give_back(&mut lifted, &before).map_err(|reason| StoreError::format("a commit", reason))?;
                    }
                    Recovery::Ask | Recovery::Auto => refusals.push(Refusal {
                        id,
                        kind: RefusalKind::Orphaned,
                        before,
                        after: Vec::new(),
                        reason: String::new(),
                        state_seen: String::new(),
                        number: log.tail.number() + 1,
                        told: false,
                        dismissed: false,
                    }),
                    Recovery::Discard => {}
                }
            }
        }
        self.cut(binding, &lifted, &refusals).await
    }

    /// Ids of what was refused and is not dismissed.
    async fn kept_refusals(&self) -> Result<HashSet<String>, StoreError> {
        let mut kept = HashSet::new();
        for (id, bytes) in self.stored_refusals().await? {
            let refusal = decoded(&id, &bytes)?;
            if refusal.kind == RefusalKind::Refused && !refusal.dismissed {
                kept.insert(id);
            }
        }
        Ok(kept)
    }

    /// Offers an orphan to the server: it is pending now, a fact that keeps its id. Nothing happens if there is no such
    /// refusal, or if the commit has come back. `Bound` if somebody else made it on this device: it waits for them.
    pub async fn retry_orphan(&self, id: &str) -> Result<Progress, StoreError> {
        let _writing = self.writing.lock().await;
        for _ in 0..MAX_TRIES {
            self.check_open()?;
            self.refresh().await?;
            self.make_room().await?;
            match self.try_retry(id).await {
                Ok(true) => return Ok(self.progress(Vec::new())),
                Ok(false) => {}
                Err(BlocksError::Store(error)) => return Err(error),
                Err(BlocksError::Vanished) => self.look_for_vanished().await?,
            }
        }
        Err(StoreError::contended(MAX_TRIES))
    }

    async fn try_retry(&self, id: &str) -> Result<bool, BlocksError> {
        let damaged = |reason| StoreError::format(format!("the refusal of {id}"), reason);
        let key = Refusal::key(id);
        let read = self.storage.read(vec![Read::Get(Table::Meta, key.clone())]).await;
        let Some(entry) = read.map_err(StoreError::from)?.into_iter().flatten().next() else {
            return Ok(true);
        };
        let refusal = Refusal::decode(id, &entry.value).map_err(damaged)?;
        if refusal.kind != RefusalKind::Orphaned || refusal.dismissed {
            return Ok(true);
        }
        let is_known = !self.find_commits(HashSet::from([id])).await?.is_empty();
        let subject = self.log.borrow().bound()?.subject.clone();
        let other = maker(&refusal.before, &self.identity.replica, &subject).map_err(damaged)?;
        if let Some(other) = other.filter(|_| !is_known) {
            let bound = StoreErrorKind::Bound(format!("subject {subject}, and {other} made this"));
            return Err(StoreError::from(bound).into());
        }
        let parts = split_commit(&refusal.before).map_err(damaged)?;
        let streams = parts.streams.iter().map(|stream| stream.stream).collect();
        let mut lifted = Lifted::on(self.find_heads(streams).await?);
        give_back(&mut lifted, &refusal.before).map_err(damaged)?;
        let mut write = Write {
            durability: self.durability,
            ..Write::default()
        };
        write.checks.push(Check {
            table: Table::Meta,
            key: key.clone(),
            expected: Some(entry.value),
        });
        write.changes.push(Change::Delete(Table::Meta, KeyRange::only(key)));
        if is_known {
            return Ok(self.write_log(write).await?);
        }
        let (number, record) = {
            let log = self.log.borrow();
            let number = log.tail.number() + 1;
            (
                number,
                log.appended(number, lifted.end(log.position()), lifted.commits()),
            )
        };
        write.changes.push(Change::Append {
            value: record.clone(),
            expected: number,
        });
        let written = self.write_log(write).await?;
        if written {
            self.log.borrow_mut().push(number, record)?;
        }
        Ok(written)
    }
}

/// Who made an orphan, if that was somebody else on this device: it can be pushed by nobody but them, and would keep what
/// is pending from being pushed.
fn maker(orphan: &[u8], replica: &str, subject: &str) -> Result<Option<String>, FormatError> {
    let parts = split_commit(orphan)?;
    let fields = read_commit(&parts.header)?;
    let other = fields
        .subject
        .filter(|other| fields.replica == replica && *other != subject);
    Ok(other.map(ToOwned::to_owned))
}

fn give_back(lifted: &mut Lifted, orphan: &[u8]) -> Result<(), FormatError> {
    let parts = split_commit(orphan)?;
    let mut streams: Vec<StreamBytes<'_>> = Vec::with_capacity(parts.streams.len());
    for StreamFields {
        stream,
        expected,
        events,
    } in parts.streams
    {
        let ExpectedVersion::Exact(before) = expected else {
            return Err(FormatError::Missing("version of a stream"));
        };
        streams.push((stream, before, events));
    }
    lifted.put(&given_back(&parts.header)?, streams, true);
    Ok(())
}

fn check_fork(here: &Head, fork: &Head) -> Result<(), StoreError> {
    if here == fork {
        Ok(())
    } else {
        Err(StoreError::diverged(format!(
            "commit {} is another one here",
            fork.number
        )))
    }
}
