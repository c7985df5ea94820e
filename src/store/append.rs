//! Appending: a group of commits in one transaction, sealing the tail on the way when it is long.

use std::collections::{HashMap, HashSet};

use futures_util::FutureExt;

use super::binding::Binding;
use super::blocks::{BlockId, BlocksError};
use super::log::{Foreign, Log, Settlements};
use super::meta::Floor;
use super::pack::Packed;
use super::plan::{Outcome, Receipt, plan};
use super::storage::{Change, Check, Key, KeyRange, Order, Read, Storage, Table, Write, Written};
use super::{Store, StoreError};
use crate::commit::NewCommit;
use crate::log::directory::Directory;
use crate::log::segment::{self, Segment};
use crate::plant::bend;
use crate::position::Position;
use crate::stream::Version;

/// Journal records after which the next append seals the tail. Start-up reads no more than this.
pub(crate) const SEAL_RECORDS: u64 = 256;
/// Events after which it does.
pub(crate) const SEAL_EVENTS: usize = 8_000;
/// Bytes of records after which it does.
pub(crate) const SEAL_BYTES: u64 = 4 << 20;

/// How often a transaction lost to other tabs is tried again. Each loss is a success of another tab.
pub(crate) const MAX_TRIES: u32 = 100;

/// What planning a group needs to know.
struct Gathered {
    heads: HashMap<String, Version>,
    known: HashMap<String, Receipt>,
    refused: HashSet<String>,
}

/// What an append or a catch-up changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Progress {
    /// Position of the last event of the log.
    pub position: Position,
    /// Streams that other tabs wrote to since the last call: states kept of them are out of date.
    pub foreign: Foreign,
    /// What became of each commit, in the order of the group.
    pub outcomes: Vec<Outcome>,
    /// Position of the last confirmed event.
    pub confirmed: Position,
    /// How many commits are pending.
    pub pending: u64,
    /// What became since the last call of commits that were pending.
    pub settled: Settlements,
    /// Whether pending events are others than before, or elsewhere.
    pub rebased: bool,
    /// What [`Store::merges`] says now.
    pub merges: u64,
}

impl<S: Storage> Store<S> {
    /// Appends a group of commits in one transaction: those whose expectations hold, each whole. It
    /// returns once they are stored at the store's durability. Costs one transaction, whatever the
    /// size of the group; when another tab wrote meanwhile, one more for each time it did.
    pub async fn append(&self, group: &[NewCommit<'_>]) -> Result<Progress, StoreError> {
        self.append_decided(self.merges(), group).await
    }

    /// How often a merge may have put events in the places of others. What is decided on a state that was read before
    /// must be appended with what this said then, see [`Store::append_decided`].
    pub fn merges(&self) -> u64 {
        self.log.borrow().merges
    }

    /// Has [`Store::merges`] count from a number that no instance before this one has said: what was decided on what that
    /// one had read may be out of date.
    #[cfg(all(target_arch = "wasm32", feature = "bindings"))]
    pub(crate) fn count_merges_from(&self, first: u64) {
        self.log.borrow_mut().merges += first;
    }

    /// Appends as [`Store::append`] does what was decided when [`Store::merges`] said `merges`. If it says something else
    /// now, what expects a version is [`Outcome::Stale`], although the version may fit: pending commits that a merge
    /// takes out of the log give their versions back, and others may have them since.
    pub async fn append_decided(&self, merges: u64, group: &[NewCommit<'_>]) -> Result<Progress, StoreError> {
        // What is seldom done is boxed, here and in what this calls: the browser compiles a hot function as a whole.
        let _writing = self.writing.lock().await;
        let (mut tries, mut fresh) = (0, false);
        loop {
            self.check_open()?;
            if self.doubtful.get() {
                self.refresh().boxed_local().await?;
            }
            self.make_room().await?;
            let gathered = match self.gather(group).await {
                Ok(gathered) => gathered,
                Err(BlocksError::Store(error)) => return Err(error),
                Err(BlocksError::Vanished) => {
                    self.look_for_vanished().boxed_local().await?;
                    continue;
                }
            };
            let position = self.log.borrow().position();
            let Gathered { heads, known, refused } = gathered;
            let merged = self.merges() != merges;
            let mut plan = plan(group, position, heads, known, &refused, merged, &self.identity.replica);
            if plan.commits.is_empty() {
                let refused = plan
                    .outcomes
                    .iter()
                    .any(|outcome| !matches!(outcome, Outcome::Duplicate(_)));
                if fresh || !refused {
                    return Ok(self.progress(plan.outcomes));
                }
                // A written record proves that nobody wrote since; a 'no' with nothing written has to look.
                self.refresh().boxed_local().await?;
                fresh = true;
                continue;
            }
            let (number, record) = {
                let log = self.log.borrow();
                let number = log.tail.number() + 1;
                let commits = plan.commits.iter().map(Vec::as_slice);
                (number, log.appended(number, plan.end, commits))
            };
            if self.write_record(number, record, tries).await? {
                plan.all_pending(self.log.borrow().binding.is_some());
                return Ok(self.progress(plan.outcomes));
            }
            tries += 1;
            if tries == MAX_TRIES {
                return Err(StoreError::contended(tries));
            }
            self.refresh().boxed_local().await?;
            fresh = true;
        }
    }

    /// What planning a group needs to know, from one state of the log: when a block has vanished nothing
    /// is read again here, as what was found before would be out of date.
    async fn gather(&self, group: &[NewCommit<'_>]) -> Result<Gathered, BlocksError> {
        let streams = group.iter().flat_map(|commit| {
            let reads = commit.reads.iter().map(|read| &*read.stream_id);
            reads.chain(commit.streams.iter().map(|stream| &*stream.stream_id))
        });
        let heads = self.find_heads(streams.collect()).await?;
        let ids = group.iter().filter(|commit| commit.known);
        let ids: HashSet<&str> = ids.map(|commit| &*commit.commit_id).collect();
        let bound = self.log.borrow().binding.is_some();
        let refused = if bound && !ids.is_empty() {
            self.find_refused(ids.iter().map(ToString::to_string).collect())
                .boxed_local()
                .await?
        } else {
            HashSet::new()
        };
        let known = if ids.is_empty() {
            HashMap::new()
        } else {
            self.find_commits(ids).boxed_local().await?
        };
        Ok(Gathered { heads, known, refused })
    }

    /// Reads what other tabs wrote.
    pub async fn catch_up(&self) -> Result<Progress, StoreError> {
        let _writing = self.writing.lock().await;
        self.check_open()?;
        self.refresh().await?;
        Ok(self.progress(Vec::new()))
    }

    pub(crate) fn progress(&self, outcomes: Vec<Outcome>) -> Progress {
        let mut log = self.log.borrow_mut();
        Progress {
            position: log.position(),
            foreign: std::mem::take(&mut log.foreign),
            outcomes,
            confirmed: log.confirmed(),
            pending: log.pending(),
            settled: std::mem::take(&mut log.settled),
            rebased: std::mem::take(&mut log.rebased),
            merges: log.merges,
        }
    }

    /// Writes a record and, when the tail is long, the segment that the tail becomes, in one
    /// transaction. False if another tab wrote first.
    ///
    /// The first try leaves a record that counts for nothing when it is lost, which is the price of
    /// one round trip less; the next ones are undone, so that tabs do not keep each other from writing.
    pub(crate) async fn write_record(&self, number: u64, record: Vec<u8>, lost: u32) -> Result<bool, StoreError> {
        let (write, sealed) = {
            let log = self.log.borrow();
            let mut write = Write {
                durability: self.durability,
                ..Write::default()
            };
            let (value, expected) = (record.clone(), number);
            let sealed = if tail_is_long(&log) {
                write.changes.push(Change::Append { value, expected });
                Some(seal(&log, None, &mut write)?)
            } else {
                write.changes.push(match lost {
                    0 => Change::Add { value, expected },
                    _ => Change::Append { value, expected },
                });
                None
            };
            (write, sealed)
        };
        if !self.write_log(write).await? {
            return Ok(false);
        }
        let mut log = self.log.borrow_mut();
        if let Some((directory, floor)) = sealed {
            log.seal_tail(vec![directory], floor);
        }
        log.push(number, record)?;
        Ok(true)
    }

    /// Runs a transaction that changes the log. False if another tab was first, and nothing is written.
    pub(crate) async fn write_log(&self, mut write: Write) -> Result<bool, StoreError> {
        if let Some(first) = bend(&mut write)
            && self.storage.write(first).await? != Written::Done
        {
            return Ok(false);
        }
        match self.storage.write(write).await {
            Ok(written) => Ok(written == Written::Done),
            // It may have been applied: the log is read again before anything else is written.
            Err(error) => {
                self.doubtful.set(true);
                Err(error.into())
            }
        }
    }

    /// How many confirmed events are not sealed, as far as this instance knows. Whoever looks into the log first reads all
    /// of them.
    pub fn unsealed(&self) -> u64 {
        let log = self.log.borrow();
        log.confirmed().0.saturating_sub(log.floor.position.0)
    }

    /// Seals the tail now, whatever its length. False if there was nothing to seal.
    pub async fn seal(&self) -> Result<bool, StoreError> {
        let _writing = self.writing.lock().await;
        for _ in 0..MAX_TRIES {
            self.check_open()?;
            if self.doubtful.get() {
                self.refresh().await?;
            }
            if self.log.borrow().binding.is_some() {
                let any = !self.log.borrow().tail.confirmed_events().is_empty();
                if any {
                    Box::pin(self.raise_floor()).await?;
                }
                return Ok(any);
            }
            let (write, sealed) = {
                let log = self.log.borrow();
                if log.tail.events().is_empty() {
                    return Ok(false);
                }
                let mut write = Write {
                    durability: self.durability,
                    ..Write::default()
                };
                let sealed = seal(&log, None, &mut write)?;
                (write, sealed)
            };
            if self.storage.write(write).await? == Written::Done {
                self.log.borrow_mut().seal_tail(vec![sealed.0], sealed.1);
                return Ok(true);
            }
            self.refresh().await?;
        }
        Err(StoreError::contended(MAX_TRIES))
    }

    /// For whoever looks into the log: reads the tail, if start-up left that for later.
    pub(crate) async fn ready(&self) -> Result<(), StoreError> {
        self.check_open()?;
        if self.log.borrow().unread.is_some() {
            let _writing = self.writing.lock().await;
            if self.log.borrow().unread.is_some() {
                // Boxed: this happens once, and a copy of it in every caller would be large.
                self.refresh().boxed_local().await?;
            }
        }
        Ok(())
    }

    /// Brings the log up to what is stored.
    pub(crate) async fn refresh(&self) -> Result<(), StoreError> {
        let number = self.log.borrow().tail.number();
        let journal = Read::Scan {
            table: Table::Journal,
            range: KeyRange::after(Key::from(number)),
            order: Order::Ascending,
            limit: None,
        };
        let mut found = self
            .storage
            .read(vec![
                Read::Get(Table::Meta, Floor::key()),
                Read::Get(Table::Meta, Binding::key()),
                journal,
            ])
            .await?
            .into_iter();
        let stored = found.next().unwrap_or_default();
        let unmoved = match stored.first() {
            Some(entry) => entry.value == self.log.borrow().stored_floor,
            None => false,
        };
        let binding = found.next().unwrap_or_default().into_iter().next();
        if unmoved {
            let mut log = self.log.borrow_mut();
            log.bind(binding.map(|entry| entry.value))?;
            for entry in found.next().unwrap_or_default() {
                log.push_foreign(super::log::number(&entry.key), entry.value)?;
            }
            log.tail_is_read()?;
        } else {
            self.reload().await?;
        }
        self.doubtful.set(false);
        Ok(())
    }

    /// Reads directories and journal anew.
    async fn reload(&self) -> Result<(), StoreError> {
        let mut log = super::open::read_log(&*self.storage).await?;
        log.foreign = Foreign::All;
        log.turns = self.log.borrow().turns + 1;
        log.merges = self.log.borrow().merges;
        if log.binding.is_some() {
            log.merges += 1;
            log.settled = Settlements::All;
            log.rebased = true;
        }
        self.commit_filters.borrow_mut().clear();
        if log.stored_cuts != self.log.borrow().stored_cuts {
            // There may be others by the same names.
            self.blocks.forget(log.stored_cuts.clone());
            self.ahead.forget();
            self.sorted.take();
            self.projections.take();
        }
        *self.log.borrow_mut() = log;
        Ok(())
    }

    /// Runs `attempt`, and again after reading the directories when a block has vanished under it.
    pub(crate) async fn with_blocks<T>(
        &self,
        mut attempt: impl AsyncFnMut() -> Result<T, BlocksError>,
    ) -> Result<T, StoreError> {
        let mut tries = 0;
        loop {
            let changes = self.log.borrow().floor.changes;
            match attempt().await {
                Ok(value) => return Ok(value),
                Err(BlocksError::Store(error)) => return Err(error),
                Err(BlocksError::Vanished) => tries += 1,
            }
            if tries == MAX_TRIES {
                return Err(StoreError::contended(tries));
            }
            // The log is never replaced under a writer.
            let _writing = self.writing.lock().await;
            if self.log.borrow().floor.changes == changes {
                // Boxed: this is rare, and a copy of it in every caller would be large.
                self.look_for_vanished().boxed_local().await?;
            }
        }
    }

    /// Reads the directories again, in which a block that has vanished must be replaced. For whoever holds
    /// `writing`.
    pub(crate) async fn look_for_vanished(&self) -> Result<(), StoreError> {
        let changes = self.log.borrow().floor.changes;
        self.reload().await?;
        if self.log.borrow().floor.changes == changes {
            return Err(StoreError::format(
                "a segment",
                crate::log::FormatError::Missing("block"),
            ));
        }
        Ok(())
    }
}

fn tail_is_long(log: &Log) -> bool {
    let tail = &log.tail;
    let long = tail.records() >= SEAL_RECORDS || tail.events().len() >= SEAL_EVENTS || tail.bytes() >= SEAL_BYTES;
    // All of its records may be lost races: then there is nothing to seal yet. With sync that is done beforehand.
    long && !tail.events().is_empty() && log.binding.is_none()
}

/// Adds to `write` what makes a segment of the whole tail and of `more`, which takes one number of the journal.
pub(crate) fn seal(log: &Log, more: Option<&Packed<'_>>, write: &mut Write) -> Result<(Directory, Floor), StoreError> {
    let tail = &log.tail;
    let mut commits: Vec<_> = tail
        .confirmed_commits()
        .iter()
        .map(|commit| commit.recorded())
        .collect();
    let mut events: Vec<_> = tail.confirmed_events().iter().map(|event| event.recorded()).collect();
    let mut floor = Floor {
        number: tail.number(),
        position: tail.position(),
        changes: log.floor.changes + 1,
    };
    if let Some(packed) = more {
        events.extend(packed.events_by_stream());
        commits.extend(packed.recorded_commits());
        floor.number += 1;
        floor.position = packed.end();
    }
    let Segment { directory, blocks } =
        segment::build(events, &commits).map_err(|reason| StoreError::format("the tail", reason))?;
    put_segment(write, &directory, blocks);
    move_floor(log, &floor, write);
    Ok((directory, floor))
}

/// Adds to `write` what moves the floor, from where `log` has it: the journal below goes.
pub(crate) fn move_floor(log: &Log, floor: &Floor, write: &mut Write) {
    write.checks.push(Check {
        table: Table::Meta,
        key: Floor::key(),
        expected: Some(log.stored_floor.clone()),
    });
    let below = KeyRange::up_to(Key::from(floor.number));
    write.changes.extend([
        Change::Put(Table::Meta, Floor::key(), floor.encode()),
        Change::Delete(Table::Journal, below),
    ]);
}

/// Adds to `write` what stores a segment.
pub(crate) fn put_segment(write: &mut Write, directory: &Directory, blocks: Vec<Vec<u8>>) {
    for (number, block) in blocks.into_iter().enumerate() {
        write
            .changes
            .push(Change::Put(Table::Blocks, BlockId::new(directory, number).key(), block));
    }
    write.changes.push(Change::Put(
        Table::Segments,
        Key::from(directory.first.0),
        directory.encode(),
    ));
}
