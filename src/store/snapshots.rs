//! Snapshots: folded states of streams. They may be lost at any time; one that does not verify is
//! dropped and said to be.

use super::load::time_of;
use super::storage::{Change, Entry, Key, KeyRange, Order, Read, Storage, Table, Write};
use super::{Clock, Store, StoreError};
use crate::log::FormatError;
use crate::log::bytes::{Reader, put_field, put_number, put_signed_number};
use crate::log::frame::{self, Kind};
use crate::log::record::CommitStatus;
use crate::plant::{Plant, is_planted};
use crate::stream::Version;

/// The state of one stream at a version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Snapshot {
    /// Name of the definition that folded it.
    pub definition: String,
    /// Version of that definition. A snapshot of another version is ignored.
    pub definition_version: u64,
    /// Version of the stream up to which it is folded.
    pub version: Version,
    /// The latest `occurredAt` of the events that it covers.
    pub occurred_at: i64,
    /// The latest `recordedAt` of the events that it covers.
    pub recorded_at: i64,
    /// The state, JSON.
    pub state: String,
}

impl Snapshot {
    const DEFINITION: u64 = 1;
    const DEFINITION_VERSION: u64 = 2;
    const VERSION: u64 = 3;
    const OCCURRED_AT: u64 = 4;
    const RECORDED_AT: u64 = 5;
    const STATE: u64 = 6;

    fn encode(&self) -> Vec<u8> {
        let mut out = frame::begin(Kind::Snapshot, self.state.len() + 64);
        put_field(&mut out, Self::DEFINITION, self.definition.as_bytes());
        put_number(&mut out, Self::DEFINITION_VERSION, self.definition_version);
        put_number(&mut out, Self::VERSION, self.version.0);
        put_signed_number(&mut out, Self::OCCURRED_AT, self.occurred_at);
        put_signed_number(&mut out, Self::RECORDED_AT, self.recorded_at);
        put_field(&mut out, Self::STATE, self.state.as_bytes());
        frame::seal(out)
    }

    fn decode(bytes: &[u8]) -> Result<Self, FormatError> {
        let mut snapshot = Self {
            definition: String::new(),
            definition_version: 0,
            version: Version(0),
            occurred_at: 0,
            recorded_at: 0,
            state: String::new(),
        };
        let mut reader = Reader::of_fields(frame::open(Kind::Snapshot, bytes)?);
        while let Some(tag) = reader.next() {
            match tag {
                Self::DEFINITION => reader.all_text("definition").clone_into(&mut snapshot.definition),
                Self::DEFINITION_VERSION => snapshot.definition_version = reader.varint(),
                Self::VERSION => snapshot.version = Version(reader.varint()),
                Self::OCCURRED_AT => snapshot.occurred_at = reader.signed(),
                Self::RECORDED_AT => snapshot.recorded_at = reader.signed(),
                Self::STATE => reader.all_text("state").clone_into(&mut snapshot.state),
                _ => {}
            }
        }
        reader.end()?;
        if snapshot.state.is_empty() {
            Err(FormatError::Missing("state"))
        } else {
            Ok(snapshot)
        }
    }
}

/// Snapshots of a stream: those that verify, newest first, and the versions of those that do not.
#[derive(Debug, Default)]
pub(crate) struct FoundSnapshots {
    pub(crate) usable: Vec<Snapshot>,
    pub(crate) damaged: Vec<u64>,
}

impl<S: Storage> Store<S> {
    /// Keeps the state that `definition` folded `stream` to at `version` and, of the older snapshots, the
    /// newest `keep - 1`. It may be lost in a power cut, whatever the store's durability: it can be folded
    /// again. Reads the events since the last snapshot, for the times that it covers. A state that rests on pending
    /// events is not kept, nor one that was read when [`Store::merges`] did not say `merges`: other events may have
    /// taken the places of those that it was folded from.
    pub async fn put_snapshot(
        &self,
        merges: u64,
        stream: &str,
        definition: (&str, u64),
        version: Version,
        state: &str,
        keep: usize,
    ) -> Result<(), StoreError> {
        self.check_open()?;
        {
            let log = self.log.borrow();
            let first = log
                .tail
                .events_of(stream)
                .find(|event| event.status() == CommitStatus::Pending && !is_planted(Plant::PendingSnapshot));
            // An unread tail may hold anything.
            let unknown = log.unread.is_some() && log.binding.is_some();
            let merged = log.merges != merges;
            if unknown || merged || first.is_some_and(|event| event.recorded().version <= version) {
                return Ok(());
            }
        }
        let mut older: Vec<Entry> = self
            .storage
            .read(vec![snapshots_of(stream)])
            .await?
            .into_iter()
            .flatten()
            .collect();
        older.retain(|entry| entry.key != key(stream, version));
        older.reverse();
        let base = older
            .iter()
            .filter_map(|entry| Snapshot::decode(&entry.value).ok())
            .find(|snapshot| snapshot.version < version);
        let Some((occurred_at, recorded_at)) = self.latest_times(stream, base.as_ref(), version).await? else {
            // What the state was folded from was cut off.
            return Ok(());
        };
        let snapshot = Snapshot {
            definition: definition.0.to_owned(),
            definition_version: definition.1,
            version,
            occurred_at,
            recorded_at,
            state: state.to_owned(),
        };
        let mut changes = vec![Change::Put(Table::Snapshots, key(stream, version), snapshot.encode())];
        for entry in older.into_iter().skip(keep.saturating_sub(1)) {
            changes.push(Change::Delete(Table::Snapshots, KeyRange::only(entry.key)));
        }
        // Not stored, if the log was cut meanwhile: the next one will be.
        self.write_folded(Write {
            changes,
            ..Write::relaxed()
        })
        .await
        .map(drop)
    }

    /// The latest times of the events of `stream` up to `version`, given what an older snapshot covers; none if the
    /// stream is not that long.
    async fn latest_times(
        &self,
        stream: &str,
        base: Option<&Snapshot>,
        version: Version,
    ) -> Result<Option<(i64, i64)>, StoreError> {
        let mut is_there = false;
        let mut times = base.map_or((i64::MIN, i64::MIN), |base| (base.occurred_at, base.recorded_at));
        let from = base.map_or(Version(1), |base| base.version.next());
        self.each_event(stream, from, |event| {
            is_there |= event.version == version;
            if event.version <= version {
                times.0 = times.0.max(time_of(event, Clock::Occurred)?);
                times.1 = times.1.max(time_of(event, Clock::Recorded)?);
            }
            Ok(())
        })
        .await?;
        Ok(is_there.then_some(times))
    }

    /// Deletes every snapshot of `stream`.
    pub async fn drop_snapshots(&self, stream: &str) -> Result<(), StoreError> {
        self.check_open()?;
        let range = KeyRange::prefix(&[Key::from(stream)]);
        let changes = vec![Change::Delete(Table::Snapshots, range)];
        self.storage
            .write(Write {
                changes,
                ..Write::relaxed()
            })
            .await?;
        Ok(())
    }

    /// Of the snapshots read, those that one version of a definition may use. Damaged ones are dropped.
    pub(crate) async fn sift_snapshots(
        &self,
        entries: Vec<Vec<Entry>>,
        definition: &str,
        definition_version: u64,
    ) -> Result<FoundSnapshots, StoreError> {
        let mut found = FoundSnapshots::default();
        let mut changes = Vec::new();
        for entry in entries.into_iter().flatten().rev() {
            match Snapshot::decode(&entry.value) {
                Ok(snapshot)
                    if snapshot.definition == definition && snapshot.definition_version == definition_version =>
                {
                    found.usable.push(snapshot);
                }
                // Of another version of the definition, or of a later release: ignored, not dropped.
                Ok(_) | Err(FormatError::Newer { .. }) => {}
                Err(_) => {
                    if let Key::List(parts) = &entry.key {
                        found.damaged.extend(parts.get(1).map(super::log::number));
                    }
                    changes.push(Change::Delete(Table::Snapshots, KeyRange::only(entry.key)));
                }
            }
        }
        if !changes.is_empty() {
            self.storage
                .write(Write {
                    changes,
                    ..Write::relaxed()
                })
                .await?;
        }
        Ok(found)
    }
}

fn key(stream: &str, version: Version) -> Key {
    Key::from([Key::from(stream), Key::from(version.0)])
}

/// Lowest version first: a stream keeps few of them, and one `getAll` is cheaper than a cursor.
pub(crate) fn snapshots_of(stream: &str) -> Read {
    Read::Scan {
        table: Table::Snapshots,
        range: KeyRange::prefix(&[Key::from(stream)]),
        order: Order::Ascending,
        limit: None,
    }
}
