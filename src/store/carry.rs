//! Moving the floor of a store with sync: what is confirmed is sealed, what is pending is carried above.
//!
//! One transaction adds a record with all pending commits, puts the segments, deletes the records below and
//! moves the floor. Without pending commits the record is gone again at its end, as in bulk.

use std::borrow::Cow;
use std::collections::HashMap;
use std::rc::Rc;

use super::append::{MAX_TRIES, SEAL_BYTES, SEAL_EVENTS, SEAL_RECORDS, move_floor, put_segment};
use super::log::Log;
use super::meta::Floor;
use super::segments::place;
use super::storage::{Change, Storage, Write};
use super::tail::{Tail, TailCommit};
use super::{Store, StoreError};
use crate::log::FormatError;
use crate::log::commit::split_commit;
use crate::log::directory::Directory;
use crate::log::record::{RecordKind, SyncRecord};
use crate::log::segment;
use crate::position::Position;
use crate::stream::Version;

/// Pending commits that stay so, in order, and whether each is to be decided again.
pub(crate) type Left = Vec<(Rc<TailCommit>, bool)>;

/// A floor that has moved, once it is written.
#[derive(Debug)]
pub(crate) struct Raised {
    directories: Vec<Directory>,
    floor: Floor,
    number: u64,
    carried: Option<Vec<u8>>,
    /// Versions of streams in the confirmed log, as far as it went on.
    heads: HashMap<String, Version>,
}

/// Adds to `write` what raises the floor above the journal, with `commits`, which go on where the confirmed log ends,
/// in segments. `heads` holds the versions of their streams after them.
pub(crate) fn raise(
    log: &Log,
    commits: &[Cow<'_, [u8]>],
    heads: HashMap<String, Version>,
    left: &Left,
    write: &mut Write,
) -> Result<Raised, StoreError> {
    let tail = &log.tail;
    let damaged = |reason| StoreError::format("the tail", reason);
    let mut segments = Vec::new();
    if !tail.confirmed_events().is_empty() {
        let events = tail.confirmed_events().iter().map(|event| event.recorded()).collect();
        let commits: Vec<_> = tail
            .confirmed_commits()
            .iter()
            .map(|commit| commit.recorded())
            .collect();
        segments.push(segment::build(events, &commits).map_err(damaged)?);
    }
    let parts: Result<Vec<_>, FormatError> = commits.iter().map(|commit| split_commit(commit)).collect();
    segments.extend(place(&parts.map_err(damaged)?, tail.confirmed(), None).map_err(damaged)?);
    let confirmed = segments
        .last()
        .map_or(tail.confirmed(), |segment| segment.directory.last());
    let number = tail.number() + 1;
    let carried = (!left.is_empty()).then(|| {
        let versions = |stream: &str| heads.get(stream).copied().or_else(|| tail.confirmed_head(stream));
        carried(tail, left, number, confirmed, versions)
    });
    let floor = Floor {
        number: number - u64::from(carried.is_some()),
        position: confirmed,
        changes: log.floor.changes + u64::from(!segments.is_empty()),
    };
    write.changes.push(Change::Append {
        value: carried.clone().unwrap_or_default(),
        expected: number,
    });
    let mut directories = Vec::with_capacity(segments.len());
    for segment in segments {
        put_segment(write, &segment.directory, segment.blocks);
        directories.push(segment.directory);
    }
    move_floor(log, &floor, write);
    Ok(Raised {
        directories,
        floor,
        number,
        carried,
        heads,
    })
}

/// The record of all pending commits, above a log whose confirmed part ends at `confirmed`. `versions` tells where it
/// leaves streams.
pub(crate) fn carried(
    tail: &Tail,
    left: &Left,
    number: u64,
    confirmed: Position,
    versions: impl Fn(&str) -> Option<Version>,
) -> Vec<u8> {
    let mut heads: HashMap<&str, Version> = HashMap::new();
    let mut end = confirmed;
    let mut commits = Vec::with_capacity(left.len());
    for (commit, _) in left {
        let mut before = Vec::with_capacity(commit.streams.len());
        for (stream, first, events) in &commit.streams {
            let head = heads
                .entry(stream)
                .or_insert_with(|| versions(stream).unwrap_or(Version(first.0 - 1)));
            before.push(*head);
            head.0 += events;
            end.0 += events;
        }
        commits.push(tail.bytes_of(commit, &before));
    }
    SyncRecord {
        kind: RecordKind::Carried,
        number,
        end,
        commits: &commits.iter().map(Vec::as_slice).collect::<Vec<_>>(),
        dropped: &[],
        undecided: &left.iter().map(|(_, undecided)| *undecided).collect::<Vec<_>>(),
        pending: left.len() as u64,
    }
    .encode()
}

impl Tail {
    /// The pending commits, all of them.
    pub(crate) fn left(&self) -> Left {
        let pending = self.pending_commits().iter().map(Rc::clone);
        pending.zip(self.undecided().iter().copied()).collect()
    }
}

impl Log {
    /// The floor is stored there now.
    pub(crate) fn raised(&mut self, raised: Raised) -> Result<(), StoreError> {
        self.seal_tail(raised.directories, raised.floor);
        for (stream, version) in raised.heads {
            self.keep_head(&stream, version);
        }
        match raised.carried {
            // What it says is nothing new.
            Some(record) => self.tail.push(raised.number, record).map(drop),
            None => Ok(()),
        }
    }

    /// Whether the journal has become longer than what is pending justifies.
    fn is_long(&self) -> bool {
        let tail = &self.tail;
        let pending = tail.pending() as u64;
        let events = SEAL_EVENTS.max((tail.events().len() - tail.confirmed_events().len()) / 4);
        tail.records() >= SEAL_RECORDS.max(pending / 4)
            || tail.confirmed_events().len() >= events
            || tail.confirmed_bytes() >= SEAL_BYTES.max((tail.bytes() - tail.confirmed_bytes()) / 4)
    }
}

impl<S: Storage> Store<S> {
    /// Before something is added to the journal of a store with sync: raises the floor if it is time. For whoever holds
    /// `writing` and has refreshed.
    pub(crate) async fn make_room(&self) -> Result<(), StoreError> {
        let long = {
            let log = self.log.borrow();
            log.binding.is_some() && log.is_long()
        };
        // Boxed: this is rare, and a copy of it in every caller would be large.
        if long {
            Box::pin(self.raise_floor()).await
        } else {
            Ok(())
        }
    }

    /// Seals what is confirmed and carries what is pending.
    pub(crate) async fn raise_floor(&self) -> Result<(), StoreError> {
        for _ in 0..MAX_TRIES {
            let mut write = Write {
                durability: self.durability,
                ..Write::default()
            };
            let raised = {
                let log = self.log.borrow();
                raise(&log, &[], HashMap::new(), &log.tail.left(), &mut write)?
            };
            if self.write_log(write).await? {
                return self.log.borrow_mut().raised(raised);
            }
            self.refresh().await?;
        }
        Err(StoreError::contended(MAX_TRIES))
    }
}
