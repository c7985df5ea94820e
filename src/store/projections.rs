//! Where projections stand: generation and checkpoint of each version, and who wrote rows.
//!
//! Rows belong to a generation, a number that is never used twice. A projection version has one live
//! generation and, while it is rebuilt, a second one beside it. Every write of rows checks generation
//! and checkpoint in its own transaction, so that two tabs never fold one event twice. The marker of a generation says
//! which indexes its rows are entered in: a definition with others, of the same version, has to leave them alone.

mod stored;

pub(crate) use self::stored::{Listed, generation_key};
use self::stored::{Owner, counter_key, decode_counter, encode_counter, first_number, last_number, listed};
pub use self::stored::{ProjectionState, Rebuild};
use super::append::MAX_TRIES;
use super::storage::{Change, Check, Entry, Key, KeyRange, Order, Read, Storage, Table, Write, Written};
use super::{Store, StoreError};
use crate::position::Position;

/// A generation that holds rows but serves no reader of this version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StaleGeneration {
    /// Its number.
    pub generation: u64,
    /// The version that wrote it.
    pub version: u32,
}

/// A projection version among what else is stored of the projection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProjectionReport {
    /// Where it stands.
    pub state: ProjectionState,
    /// The highest version of this projection that has rows.
    pub newest_version: u32,
    /// The names of the indexes that its live rows are entered in, a JSON list. Empty if nobody has said so, and once the
    /// rows were dropped.
    pub indexes: String,
    /// Whether the rebuild under way can go on: it cannot once its rows were dropped, nor with other indexes.
    pub resumable: bool,
    /// Generations of other versions and of abandoned rebuilds.
    pub stale: Vec<StaleGeneration>,
}

impl<S: Storage> Store<S> {
    /// Where a projection version stands; it is made, empty at position 0, if nobody has yet.
    ///
    /// `indexes` are the names of the caller's, as [`index_names`](crate::projection::index_names) gives them; empty if
    /// it only looks. Rows of which nobody has said so are taken as entered in these.
    pub async fn projection(&self, name: &str, version: u32, indexes: &str) -> Result<ProjectionReport, StoreError> {
        for _ in 0..MAX_TRIES {
            if let Some(report) = self.find_projection(name, version, indexes).await? {
                return Ok(report);
            }
            let found = self.storage.read(vec![Read::Get(Table::Meta, counter_key())]).await?;
            let (mut write, generation) = take_generation(found.into_iter().flatten().next(), name, version, indexes)?;
            let state = ProjectionState {
                generation,
                checkpoint: Position(0),
                failed_at: None,
                rebuild: None,
                revision: 0,
            };
            let key = ProjectionState::key(name, version);
            write.checks.push(Check {
                table: Table::Meta,
                key: key.clone(),
                expected: None,
            });
            write.changes.push(Change::Put(Table::Meta, key, state.encode()));
            self.storage.write(write).await?;
        }
        Err(StoreError::contended(MAX_TRIES))
    }

    async fn find_projection(
        &self,
        name: &str,
        version: u32,
        indexes: &str,
    ) -> Result<Option<ProjectionReport>, StoreError> {
        self.check_open()?;
        loop {
            let reads = vec![
                scan(KeyRange::prefix(&[Key::from("projection"), Key::from(name)])),
                scan(KeyRange::prefix(&[Key::from("generation")])),
            ];
            let mut write = Write::relaxed();
            let report = report_of(self.storage.read(reads).await?, name, version, indexes, &mut write)?;
            if write.changes.is_empty() {
                if let Some(report) = &report {
                    let key = (name.to_owned(), version);
                    self.projections.borrow_mut().insert(key, report.state.clone());
                }
                return Ok(report);
            }
            // Of two definitions that look now, the one that comes too late reads what the other one has said.
            self.storage.write(write).await?;
        }
    }

    /// Every projection version that is stored.
    pub(crate) async fn all_projections(&self) -> Result<Vec<Listed>, StoreError> {
        let found = self
            .storage
            .read(vec![scan(KeyRange::prefix(&[Key::from("projection")]))])
            .await?;
        listed(&found.into_iter().flatten().collect::<Vec<_>>())
    }

    /// Begins a rebuild in a new generation, or takes up the one under way if that was begun with these indexes, which
    /// are given as to [`projection`](Self::projection).
    pub async fn begin_rebuild(
        &self,
        name: &str,
        version: u32,
        resume: bool,
        indexes: &str,
    ) -> Result<ProjectionReport, StoreError> {
        for _ in 0..MAX_TRIES {
            let report = self.projection(name, version, indexes).await?;
            if resume && report.resumable {
                return Ok(report);
            }
            let found = self.storage.read(vec![Read::Get(Table::Meta, counter_key())]).await?;
            let (mut write, generation) = take_generation(found.into_iter().flatten().next(), name, version, indexes)?;
            let rebuild = Some(Rebuild {
                generation,
                checkpoint: Position(0),
            });
            let state = ProjectionState {
                rebuild,
                ..report.state.clone()
            };
            change_projection(&mut write, name, version, &report.state, &state);
            self.storage.write(write).await?;
            let resumable = self.projection(name, version, indexes).await?;
            if resumable
                .state
                .rebuild
                .is_some_and(|rebuild| rebuild.generation == generation)
            {
                return Ok(resumable);
            }
        }
        Err(StoreError::contended(MAX_TRIES))
    }

    /// Makes the rebuilt generation the live one, unless the live one works and is ahead of it. False if
    /// so, or if another tab replaced the rebuild. Nobody reads the one before any more: its rows are to be
    /// [dropped](Self::drop_generation).
    pub async fn switch_generation(&self, name: &str, version: u32, generation: u64) -> Result<bool, StoreError> {
        for _ in 0..MAX_TRIES {
            let Some(report) = self.find_projection(name, version, "").await? else {
                return Ok(false);
            };
            let Some(rebuild) = report.state.rebuild.filter(|rebuild| rebuild.generation == generation) else {
                return Ok(false);
            };
            if report.state.failed_at.is_none() && rebuild.checkpoint < report.state.checkpoint {
                return Ok(false);
            }
            let state = ProjectionState {
                generation,
                checkpoint: rebuild.checkpoint,
                failed_at: None,
                rebuild: None,
                ..report.state
            };
            let mut write = Write::relaxed();
            let replaced = KeyRange::only(generation_key(report.state.generation));
            write.changes.push(Change::Delete(Table::Meta, replaced));
            change_projection(&mut write, name, version, &report.state, &state);
            if self.storage.write(write).await? == Written::Done {
                self.projections.borrow_mut().insert((name.to_owned(), version), state);
                return Ok(true);
            }
        }
        Err(StoreError::contended(MAX_TRIES))
    }

    /// Deletes a generation: its marker at once, so that nobody reads it, then its rows, at most
    /// `limit` a call. True when none are left.
    pub async fn drop_generation(&self, generation: u64, limit: u32) -> Result<bool, StoreError> {
        self.check_open()?;
        let prefix = KeyRange::prefix(&[Key::from(generation)]);
        let some = |table| Read::Scan {
            table,
            range: prefix.clone(),
            order: Order::Ascending,
            limit: Some(limit),
        };
        let found = self.storage.read(vec![some(Table::Rows), some(Table::Index)]).await?;
        let done = found.iter().all(|entries| entries.len() < limit as usize);
        let mut changes = vec![Change::Delete(Table::Meta, KeyRange::only(generation_key(generation)))];
        for (table, entries) in [Table::Rows, Table::Index].into_iter().zip(found) {
            if let Some(last) = entries.into_iter().next_back() {
                let range = KeyRange {
                    upper: super::Bound::Including(last.key),
                    ..prefix.clone()
                };
                changes.push(Change::Delete(table, range));
            }
        }
        self.storage
            .write(Write {
                changes,
                ..Write::relaxed()
            })
            .await?;
        Ok(done)
    }

    /// Deletes rows of a generation without a marker, which nobody reads: [`drop_generation`](Self::drop_generation) was
    /// cut off. At most `limit` a call; true when there are none.
    pub async fn drop_orphans(&self, limit: u32) -> Result<bool, StoreError> {
        self.check_open()?;
        let mut from = 0;
        loop {
            let first = |table| Read::Scan {
                table,
                range: KeyRange::from(Key::from([Key::from(from)])),
                order: Order::Ascending,
                limit: Some(1),
            };
            let found = self.storage.read(vec![first(Table::Rows), first(Table::Index)]).await?;
            let Some(generation) = found.iter().flatten().map(|entry| first_number(&entry.key)).min() else {
                return Ok(true);
            };
            // Asked for after its rows: it is there before them.
            let marker = Read::Get(Table::Meta, generation_key(generation));
            if self.storage.read(vec![marker]).await?.iter().all(Vec::is_empty) {
                self.drop_generation(generation, limit).await?;
                return Ok(false);
            }
            from = generation + 1;
        }
    }

    /// Adds to `write` that no rows are left of events after `position`: a projection that has folded further begins again
    /// in a new generation, and so does a rebuild. What is being folded now from any projection is not stored.
    pub(crate) async fn unfold(&self, position: Position, write: &mut Write) -> Result<(), StoreError> {
        let states = scan(KeyRange::prefix(&[Key::from("projection")]));
        let found = self
            .storage
            .read(vec![states, Read::Get(Table::Meta, counter_key())])
            .await?;
        let mut found = found.into_iter();
        let states = found.next().unwrap_or_default();
        let counter = found
            .next()
            .unwrap_or_default()
            .into_iter()
            .next()
            .map(|entry| entry.value);
        let last = last_generation(counter.as_deref())?;
        let mut generation = last;
        for ((name, version, mut state), entry) in listed(&states)?.into_iter().zip(states) {
            if state.checkpoint > position {
                generation += 1;
                (state.generation, state.checkpoint) = (generation, Position(0));
                // Nobody has written rows there: whoever looks first says which indexes they have.
                put_marker(write, generation, &name, version, "");
            }
            state.failed_at = state
                .failed_at
                .filter(|failed_at| state.checkpoint > Position(0) && *failed_at <= position);
            state.rebuild = None;
            state.revision += 1;
            replace(write, entry, state.encode());
        }
        if generation > last {
            put_counter(write, counter, generation);
        }
        Ok(())
    }
}

/// Adds to `write` the change of a projection's state from `before`, which must be what is stored.
pub(crate) fn change_projection(
    write: &mut Write,
    name: &str,
    version: u32,
    before: &ProjectionState,
    after: &ProjectionState,
) {
    let (key, value) = (ProjectionState::key(name, version), before.encode());
    replace(write, Entry { key, value }, after.encode());
}

/// Adds to `write` that other bytes take the place of those that were read.
fn replace(write: &mut Write, Entry { key, value }: Entry, bytes: Vec<u8>) {
    write.checks.push(Check {
        table: Table::Meta,
        key: key.clone(),
        expected: Some(value),
    });
    write.changes.push(Change::Put(Table::Meta, key, bytes));
}

/// What is stored of a projection version, from all its states and the markers of all generations. Adds to `write` what
/// must be stored otherwise before that can be relied on.
fn report_of(
    found: Vec<Vec<Entry>>,
    name: &str,
    version: u32,
    indexes: &str,
    write: &mut Write,
) -> Result<Option<ProjectionReport>, StoreError> {
    let mut found = found.into_iter();
    let states = found.next().unwrap_or_default();
    let mut newest_version = 0;
    let mut own = None;
    for ((_, other, state), entry) in listed(&states)?.into_iter().zip(states) {
        newest_version = newest_version.max(other);
        if other == version {
            own = Some((state, entry));
        }
    }
    let Some((state, stored)) = own else { return Ok(None) };
    let encoded = state.encode();
    if stored.value != encoded {
        // An earlier format's, or with a field that this release does not know: who changes it compares with what this
        // release writes.
        replace(write, stored, encoded);
    }
    let mut report = ProjectionReport {
        state,
        newest_version,
        indexes: String::new(),
        resumable: false,
        stale: Vec::new(),
    };
    for entry in found.next().unwrap_or_default() {
        let generation = last_number(&entry.key);
        let owner = Owner::decode(&entry.value)
            .map_err(|reason| StoreError::format(format!("generation {generation}"), reason))?;
        let state = &report.state;
        if generation == state.generation {
            if owner.indexes.is_empty() && !indexes.is_empty() {
                replace(write, entry, Owner::encode(name, version, indexes));
            }
            report.indexes = owner.indexes;
        } else if state.rebuild.is_some_and(|rebuild| rebuild.generation == generation) {
            report.resumable = owner.indexes == indexes;
        } else if owner.name == name {
            report.stale.push(StaleGeneration {
                generation,
                version: owner.version,
            });
        }
    }
    Ok(Some(report))
}

/// A write that takes the next generation for a projection.
fn take_generation(
    counter: Option<Entry>,
    name: &str,
    version: u32,
    indexes: &str,
) -> Result<(Write, u64), StoreError> {
    let expected = counter.map(|entry| entry.value);
    let generation = last_generation(expected.as_deref())? + 1;
    let mut write = Write::relaxed();
    put_counter(&mut write, expected, generation);
    put_marker(&mut write, generation, name, version, indexes);
    Ok((write, generation))
}

/// Adds to `write` who will write the rows of a generation.
fn put_marker(write: &mut Write, generation: u64, name: &str, version: u32, indexes: &str) {
    let owner = Owner::encode(name, version, indexes);
    let marker = Change::Put(Table::Meta, generation_key(generation), owner);
    write.changes.push(marker);
}

/// Adds to `write` that `generation` is the highest ever given.
fn put_counter(write: &mut Write, expected: Option<Vec<u8>>, generation: u64) {
    write.checks.push(Check {
        table: Table::Meta,
        key: counter_key(),
        expected,
    });
    let counter = Change::Put(Table::Meta, counter_key(), encode_counter(generation));
    write.changes.push(counter);
}

fn last_generation(counter: Option<&[u8]>) -> Result<u64, StoreError> {
    let last = counter.map_or(Ok(0), decode_counter);
    last.map_err(|reason| StoreError::format("the generations", reason))
}

fn scan(range: KeyRange) -> Read {
    Read::Scan {
        table: Table::Meta,
        range,
        order: Order::Ascending,
        limit: None,
    }
}
