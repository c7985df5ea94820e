//! Refusals: what was pending and is not any more, or not as it was. Each is kept until the app dismisses it, and its
//! id for ever.

use std::collections::HashSet;

use super::append::MAX_TRIES;
use super::batch::BatchWriter;
use super::meta::Floor;
use super::read::Sink;
use super::storage::{Change, Check, Entry, Key, KeyRange, Order, Read, Storage, Table, Write, Written};
use super::tail::{Tail, TailCommit};
use super::{Store, StoreError};
use crate::json::ObjectWriter;
use crate::log::FormatError;
use crate::log::block::Recorded;
use crate::log::bytes::{Reader, put_field, put_number};
use crate::log::commit::{CommitParts, read_commit, split_commit};
use crate::log::event::read_event;
use crate::log::frame::{self, Kind};
use crate::log::record::CommitStatus;
use crate::position::Position;
use crate::stream::{ExpectedVersion, Version};

/// Why a commit is among the refusals.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RefusalKind {
    /// It was refused, here or by the server.
    Refused = 1,
    /// It was decided again, with other events.
    Changed = 2,
    /// It was confirmed, of another device, and the server has lost it.
    Orphaned = 3,
}

impl RefusalKind {
    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Refused => "refused",
            Self::Changed => "changed",
            Self::Orphaned => "orphaned",
        }
    }
}

/// A record `["refusal", commit id]` of meta.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub(crate) id: String,
    pub(crate) kind: RefusalKind,
    /// The commit as it was; none once it is dismissed.
    pub(crate) before: Vec<u8>,
    /// The commit as it is now, if it was changed.
    pub(crate) after: Vec<u8>,
    /// JSON.
    pub(crate) reason: String,
    /// JSON.
    pub(crate) state_seen: String,
    /// The number of the journal that it was written with.
    pub(crate) number: u64,
    /// The app has been told of it.
    pub(crate) told: bool,
    pub(crate) dismissed: bool,
}

impl Refusal {
    const KIND: u64 = 1;
    const BEFORE: u64 = 2;
    const AFTER: u64 = 3;
    const REASON: u64 = 4;
    const STATE_SEEN: u64 = 5;
    const NUMBER: u64 = 6;
    const DISMISSED: u64 = 7;
    const TOLD: u64 = 8;

    pub(crate) fn key(id: &str) -> Key {
        Key::from([Key::from("refusal"), Key::from(id)])
    }

    /// A pending commit that goes, as it is.
    pub(crate) fn of(tail: &Tail, commit: &TailCommit, kind: RefusalKind, reason: &str) -> Self {
        let before: Vec<_> = commit
            .streams
            .iter()
            .map(|(_, first, _)| Version(first.0 - 1))
            .collect();
        Self {
            id: commit.id.to_string(),
            kind,
            before: tail.bytes_of(commit, &before),
            after: Vec::new(),
            reason: reason.to_owned(),
            state_seen: String::new(),
            number: tail.number() + 1,
            told: false,
            dismissed: false,
        }
    }

    /// Whether its commit is not in the log, and its id cannot be used again.
    pub(crate) fn is_final(&self) -> bool {
        self.kind != RefusalKind::Changed
    }

    pub(crate) fn put(&self, write: &mut Write) {
        write
            .changes
            .push(Change::Put(Table::Meta, Self::key(&self.id), self.encode()));
    }

    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut out = frame::begin(Kind::Meta, self.before.len() + self.after.len() + 64);
        put_number(&mut out, Self::KIND, self.kind as u64);
        let fields = [
            (Self::BEFORE, self.before.as_slice()),
            (Self::AFTER, &self.after),
            (Self::REASON, self.reason.as_bytes()),
            (Self::STATE_SEEN, self.state_seen.as_bytes()),
        ];
        for (tag, bytes) in fields {
            if !bytes.is_empty() {
                put_field(&mut out, tag, bytes);
            }
        }
        put_number(&mut out, Self::NUMBER, self.number);
        if self.dismissed {
            put_number(&mut out, Self::DISMISSED, 1);
        }
        if self.told {
            put_number(&mut out, Self::TOLD, 1);
        }
        frame::seal(out)
    }

    pub(crate) fn decode(id: &str, bytes: &[u8]) -> Result<Self, FormatError> {
        let mut refusal = Self {
            id: id.to_owned(),
            kind: RefusalKind::Refused,
            before: Vec::new(),
            after: Vec::new(),
            reason: String::new(),
            state_seen: String::new(),
            number: 0,
            told: false,
            dismissed: false,
        };
        let mut reader = Reader::of_fields(frame::open(Kind::Meta, bytes)?);
        while let Some(tag) = reader.next() {
            match tag {
                Self::KIND => {
                    refusal.kind = match reader.varint() {
                        2 => RefusalKind::Changed,
                        3 => RefusalKind::Orphaned,
                        _ => RefusalKind::Refused,
                    }
                }
                Self::BEFORE => refusal.before = reader.all().to_vec(),
                Self::AFTER => refusal.after = reader.all().to_vec(),
                Self::REASON => reader.all_text("reason").clone_into(&mut refusal.reason),
                Self::STATE_SEEN => reader.all_text("state seen").clone_into(&mut refusal.state_seen),
                Self::NUMBER => refusal.number = reader.varint(),
                Self::DISMISSED => refusal.dismissed = reader.varint() == 1,
                Self::TOLD => refusal.told = reader.varint() == 1,
                _ => {}
            }
        }
        reader.end().map(|()| refusal)
    }

    /// Its JSON, a `CoreRefusal`. One that was dismissed has no commit any more.
    pub(crate) fn write(&self, out: &mut String) -> Result<(), StoreError> {
        let mut object = ObjectWriter::new(out);
        object.text("commitId", &self.id);
        object.text("kind", self.kind.name());
        object.raw_if("told", self.told.then_some("true"));
        let or_null = |text: &str| {
            if text.is_empty() {
                "null".to_owned()
            } else {
                text.to_owned()
            }
        };
        object.raw("reason", &or_null(&self.reason));
        object.raw("stateSeen", &or_null(&self.state_seen));
        if !self.before.is_empty() {
            let parts = split_commit(&self.before).map_err(|reason| self.damaged(reason))?;
            let fields = read_commit(&parts.header).map_err(|reason| self.damaged(reason))?;
            object.number("attempt", fields.attempt as i64);
            object.text("mode", fields.mode.name());
            object.number("recordedAt", fields.recorded_at);
            object.raw_if("command", fields.command);
            if let Some(name) = fields.definition {
                let mut inner = ObjectWriter::new(object.field("definition"));
                inner.text("name", name);
                inner.number("version", fields.definition_version as i64);
                inner.end();
            }
            object.raw("batch", &self.batch(&parts)?);
        }
        if !self.after.is_empty() {
            let parts = split_commit(&self.after).map_err(|reason| self.damaged(reason))?;
            object.raw("after", &self.batch(&parts)?);
        }
        object.end();
        Ok(())
    }

    /// The events of a commit, a `CoreBatch`. They have no place in the log.
    fn batch(&self, parts: &CommitParts<'_>) -> Result<String, StoreError> {
        let mut batch = BatchWriter::new(None);
        let mut index = 0;
        for (number, stream) in parts.streams.iter().enumerate() {
            let mut version = match stream.expected {
                ExpectedVersion::Exact(before) => before,
                _ => Version(0),
            };
            for event in &stream.events {
                version = version.next();
                let recorded = Recorded {
                    position: Position(0),
                    stream: stream.stream,
                    version,
                    envelope: &parts.envelope,
                    index,
                    event,
                };
                let fields = read_event(event).map_err(|reason| self.damaged(reason))?;
                batch.put(&recorded, &fields, number, CommitStatus::Pending)?;
                index += 1;
            }
        }
        Ok(batch.finish()?.into_document())
    }

    #[cold]
    fn damaged(&self, reason: FormatError) -> StoreError {
        StoreError::format(format!("the refusal of {}", self.id), reason)
    }
}

impl<S: Storage> Store<S> {
    /// All refusals by the ids of their commits, as they are stored.
    pub(crate) async fn stored_refusals(&self) -> Result<Vec<(String, Vec<u8>)>, StoreError> {
        self.check_open()?;
        let found = self.storage.read(vec![refusals_read()]).await?;
        Ok(found.into_iter().flatten().filter_map(stored_refusal).collect())
    }

    /// The same, if nothing of the log is stored that is not known here; otherwise the log is to be refreshed first. For
    /// whoever holds `writing`.
    pub(crate) async fn refusals_of_log(&self) -> Result<Option<Vec<(String, Vec<u8>)>>, StoreError> {
        let number = self.log.borrow().tail.number();
        let newer = Read::Scan {
            table: Table::Journal,
            range: KeyRange::after(Key::from(number)),
            order: Order::Ascending,
            limit: Some(1),
        };
        let reads = vec![refusals_read(), Read::Get(Table::Meta, Floor::key()), newer];
        let mut found = self.storage.read(reads).await?.into_iter();
        let refusals = found.next().unwrap_or_default();
        let floor = found.next().unwrap_or_default();
        let is_known = floor
            .first()
            .is_some_and(|entry| entry.value == self.log.borrow().stored_floor)
            && found.next().unwrap_or_default().is_empty();
        Ok(is_known.then(|| refusals.into_iter().filter_map(stored_refusal).collect()))
    }

    /// The ids of those refusals of a store with sync that are wanted. One that cannot be read is.
    pub(crate) async fn refused_ids(&self, is_wanted: fn(&Refusal) -> bool) -> Result<HashSet<String>, StoreError> {
        if self.log.borrow().binding.is_none() {
            return Ok(HashSet::new());
        }
        let mut refusals = self.stored_refusals().await?;
        refusals.retain(|(id, bytes)| Refusal::decode(id, bytes).as_ref().map_or(true, is_wanted));
        Ok(refusals.into_iter().map(|(id, _)| id).collect())
    }

    /// What adds refusals of an export, but for those of commits that this store has one of.
    pub(crate) async fn new_refusals(&self, refusals: &[(String, Vec<u8>)]) -> Result<Write, StoreError> {
        let known = if refusals.is_empty() {
            Vec::new()
        } else {
            self.stored_refusals().await?
        };
        let mut write = Write {
            durability: self.durability,
            ..Write::default()
        };
        for (id, bytes) in refusals {
            decoded(id, bytes)?;
            if known.iter().all(|(other, _)| other != id) {
                write
                    .changes
                    .push(Change::Put(Table::Meta, Refusal::key(id), bytes.clone()));
            }
        }
        Ok(write)
    }

    /// The refusals that are not dismissed, oldest first, a JSON list of `CoreRefusal`s.
    pub async fn refusals(&self) -> Result<String, StoreError> {
        self.ready().await?;
        let mut refusals = Vec::new();
        for (id, bytes) in self.stored_refusals().await? {
            refusals.push(decoded(&id, &bytes)?);
        }
        refusals.retain(|refusal| !refusal.dismissed);
        self.leave_out_returned(&mut refusals).await?;
        refusals.sort_by_key(|refusal| refusal.number);
        let mut out = String::from("[");
        for refusal in &refusals {
            if out.len() > 1 {
                out.push(',');
            }
            refusal.write(&mut out)?;
        }
        out.push(']');
        Ok(out)
    }

    /// Another device, or another tab, may have given an orphan back.
    async fn leave_out_returned(&self, refusals: &mut Vec<Refusal>) -> Result<(), StoreError> {
        let orphans = refusals.iter().filter(|refusal| refusal.kind == RefusalKind::Orphaned);
        let ids: HashSet<&str> = orphans.map(|refusal| refusal.id.as_str()).collect();
        let known = self.with_blocks(async || self.find_commits(ids.clone()).await).await?;
        refusals.retain(|refusal| refusal.kind != RefusalKind::Orphaned || !known.contains_key(&refusal.id));
        Ok(())
    }

    /// Takes a refusal from the list. Its id stays refused.
    pub async fn dismiss_refusal(&self, id: &str) -> Result<(), StoreError> {
        let dismissed = |refusal| Refusal {
            before: Vec::new(),
            after: Vec::new(),
            reason: String::new(),
            state_seen: String::new(),
            told: false,
            dismissed: true,
            ..refusal
        };
        self.change_refusal(id, dismissed).await
    }

    /// The app has been told of a refusal: it is not told again.
    pub async fn refusal_told(&self, id: &str) -> Result<(), StoreError> {
        self.change_refusal(id, |refusal| Refusal { told: true, ..refusal })
            .await
    }

    async fn change_refusal(&self, id: &str, change: fn(Refusal) -> Refusal) -> Result<(), StoreError> {
        for _ in 0..MAX_TRIES {
            let found = self
                .storage
                .read(vec![Read::Get(Table::Meta, Refusal::key(id))])
                .await?;
            let Some(entry) = found.into_iter().flatten().next() else {
                return Ok(());
            };
            let refusal = decoded(id, &entry.value)?;
            if refusal.dismissed {
                return Ok(());
            }
            let mut write = Write {
                durability: self.durability,
                ..Write::default()
            };
            write.checks.push(Check {
                table: Table::Meta,
                key: Refusal::key(id),
                expected: Some(entry.value),
            });
            change(refusal).put(&mut write);
            if self.storage.write(write).await? == Written::Done {
                return Ok(());
            }
        }
        Err(StoreError::contended(MAX_TRIES))
    }

    /// What became of a commit that was pending and is not any more: how, and the `CoreRefusal`, which of one that was
    /// dismissed does not say much.
    pub async fn refusal_of(&self, id: &str) -> Result<Option<(RefusalKind, String)>, StoreError> {
        let Some(refusal) = self.refusal(id).await? else {
            return Ok(None);
        };
        let mut out = String::new();
        refusal.write(&mut out)?;
        Ok(Some((refusal.kind, out)))
    }

    /// Whether [`Store::refusal_of`] has something to say.
    pub async fn has_refusal(&self, id: &str) -> Result<bool, StoreError> {
        let entry = self.refusal_entry(id).await?;
        Ok(entry.is_some())
    }

    /// Those of `ids` that were pending and are not any more.
    pub(crate) async fn find_refused(&self, ids: HashSet<String>) -> Result<HashSet<String>, StoreError> {
        let ids: Vec<String> = ids.into_iter().collect();
        let reads = ids.iter().map(|id| Read::Get(Table::Meta, Refusal::key(id)));
        let found = self.storage.read(reads.collect()).await?;
        let mut refused = HashSet::new();
        for (id, entry) in ids
            .into_iter()
            .zip(found)
            .filter_map(|(id, entries)| Some((id, entries.into_iter().next()?)))
        {
            if decoded(&id, &entry.value)?.is_final() {
                refused.insert(id);
            }
        }
        Ok(refused)
    }

    pub(crate) async fn refusal(&self, id: &str) -> Result<Option<Refusal>, StoreError> {
        let entry = self.refusal_entry(id).await?;
        entry.map(|entry| decoded(id, &entry.value)).transpose()
    }

    async fn refusal_entry(&self, id: &str) -> Result<Option<Entry>, StoreError> {
        self.check_open()?;
        let found = self
            .storage
            .read(vec![Read::Get(Table::Meta, Refusal::key(id))])
            .await?;
        Ok(found.into_iter().flatten().next())
    }
}

fn refusals_read() -> Read {
    Read::Scan {
        table: Table::Meta,
        range: KeyRange::prefix(&[Key::from("refusal")]),
        order: Order::Ascending,
        limit: None,
    }
}

fn stored_refusal(entry: Entry) -> Option<(String, Vec<u8>)> {
    match entry.key {
        Key::List(mut parts) => match parts.pop() {
            Some(Key::Text(id)) => Some((id, entry.value)),
            _ => None,
        },
        _ => None,
    }
}

pub(crate) fn decoded(id: &str, bytes: &[u8]) -> Result<Refusal, StoreError> {
    Refusal::decode(id, bytes).map_err(|reason| StoreError::format(format!("the refusal of {id}"), reason))
}
