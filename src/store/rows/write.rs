//! Rows as they are written: with their checkpoint, or staged in parts by a rebuild and put where they belong later.

use std::borrow::Cow;
use std::rc::Rc;

use super::{index_key, row_key};
use crate::json::{FromJson, JsonReader, RawJson, parse};
use crate::log::FormatError;
use crate::position::Position;
use crate::projection::IndexValue;
use crate::store::ahead::Begun;
use crate::store::append::MAX_TRIES;
use crate::store::cut::Folded;
use crate::store::projections::{ProjectionState, Rebuild, change_projection};
use crate::store::storage::{Bound, Change, Entry, Key, KeyRange, Order, Read, Storage, Table, Write, Written};
use crate::store::{Store, StoreError};

/// So many parts are read at once to be flushed: some 100 KiB.
const PARTS_AT_ONCE: u32 = 8;

/// One changed row: key, JSON or none for a deleted one, its index values before and after.
#[derive(Debug)]
pub struct RowChange<'a>(
    pub Cow<'a, str>,
    pub Option<RawJson<'a>>,
    pub Vec<Option<IndexValue<'a>>>,
    pub Vec<Option<IndexValue<'a>>>,
);

/// Rows to write, with the checkpoint that they bring their projection to.
#[derive(Debug)]
pub struct RowWrite<'a> {
    /// The projection.
    pub name: Cow<'a, str>,
    /// Its version.
    pub version: u32,
    /// The generation that is written.
    pub generation: u64,
    /// Where that generation must stand.
    pub expected_checkpoint: Position,
    /// Where it stands afterwards.
    pub checkpoint: Position,
    /// The changes.
    pub rows: Vec<RowChange<'a>>,
    /// The event at which the reducer failed.
    pub failed_at: Option<Position>,
    /// The revision that the rows were folded from.
    pub revision: u64,
    /// Whether rows are replaced without folding on, which makes it the next revision.
    pub replaces: bool,
}

impl<'a> FromJson<'a> for RowChange<'a> {
    fn read(json: &mut JsonReader<'a>) -> Self {
        json.list();
        let change = Self(json.next(), json.next(), json.next(), json.next());
        if json.item() {
            json.fail("the end of a row");
        }
        change
    }
}

impl<'a> FromJson<'a> for RowWrite<'a> {
    fn read(json: &mut JsonReader<'a>) -> Self {
        let (mut name, mut version, mut generation, mut rows) = (None, None, None, None);
        let (mut expected_checkpoint, mut checkpoint, mut failed_at) = (None, None, None);
        let (mut revision, mut replaces) = (0, false);
        json.object();
        while let Some(field) = json.field() {
            match &*field {
                "name" => name = Some(json.text()),
                "version" => version = Some(u32::read(json)),
                "generation" => generation = Some(u64::read(json)),
                "expectedCheckpoint" => expected_checkpoint = Some(Position::read(json)),
                "checkpoint" => checkpoint = Some(Position::read(json)),
                "rows" => rows = Some(Vec::read(json)),
                "failedAt" => failed_at = Option::read(json),
                "revision" => revision = u64::read(json),
                "replaces" => replaces = bool::read(json),
                _ => drop(json.raw()),
            }
        }
        Self {
            name: json.required(name, "name"),
            version: json.required(version, "version"),
            generation: json.required(generation, "generation"),
            expected_checkpoint: json.required(expected_checkpoint, "expectedCheckpoint"),
            checkpoint: json.required(checkpoint, "checkpoint"),
            rows: json.required(rows, "rows"),
            failed_at,
            revision,
            replaces,
        }
    }
}

impl<S: Storage> Store<S> {
    /// Writes rows of the live generation, or of the rebuild if that is the generation named, together
    /// with its checkpoint. False, with nothing written, if generation or checkpoint are not what the
    /// rows were folded from. It may be lost in a power cut, rows and checkpoint together.
    pub async fn write_rows(&self, write: &RowWrite<'_>) -> Result<bool, StoreError> {
        self.check_open()?;
        if self.is_beyond_confirmed(write.checkpoint) {
            return Ok(false);
        }
        let key = (write.name.to_string(), write.version);
        // What is known of the projection is tried first; only if it is out of date is it read.
        let known = self.projections.borrow().get(&key).cloned();
        if let Some(before) = known {
            let folded = self.try_write_rows(write, &before).await?;
            if folded != Folded::Changed {
                return Ok(folded == Folded::Stored);
            }
        }
        let before = self.projection(&write.name, write.version, "").await?.state;
        Ok(self.try_write_rows(write, &before).await? == Folded::Stored)
    }

    /// Rows stand for what is confirmed: what is pending may still become another.
    fn is_beyond_confirmed(&self, checkpoint: Position) -> bool {
        let log = self.log.borrow();
        log.binding.is_some() && checkpoint > log.confirmed()
    }

    async fn try_write_rows(&self, write: &RowWrite<'_>, before: &ProjectionState) -> Result<Folded, StoreError> {
        let Some(after) = advance(write, before) else {
            return Ok(Folded::Changed);
        };
        let mut transaction = Write::relaxed();
        change_projection(&mut transaction, &write.name, write.version, before, &after);
        for row in &write.rows {
            put_row(&mut transaction.changes, write.generation, row);
        }
        let folded = self.write_folded(transaction).await?;
        if folded == Folded::Stored {
            self.projections
                .borrow_mut()
                .insert((write.name.to_string(), write.version), after);
        }
        Ok(folded)
    }

    /// Keeps rows of the rebuild under way packed, each line of `parts` a JSON list of [`RowChange`]s, in place of what was
    /// kept before, and the checkpoint that they bring it to. Storing a row by itself costs some 60 µs: so a checkpoint
    /// is cheap, and [`Store::flush_rows`] writes each row once. False as [`Store::write_rows`].
    pub async fn stage_rows(&self, write: &RowWrite<'_>, parts: &str) -> Result<bool, StoreError> {
        if self.is_beyond_confirmed(write.checkpoint) {
            return Ok(false);
        }
        for _ in 0..MAX_TRIES {
            let before = self.projection(&write.name, write.version, "").await?.state;
            let is_rebuild = before
                .rebuild
                .is_some_and(|rebuild| rebuild.generation == write.generation);
            let Some(after) = advance(write, &before).filter(|_| is_rebuild) else {
                return Ok(false);
            };
            let mut transaction = Write::relaxed();
            change_projection(&mut transaction, &write.name, write.version, &before, &after);
            let changes = &mut transaction.changes;
            changes.push(Change::Delete(Table::Rows, staged(write.generation)));
            for (number, part) in parts.lines().enumerate() {
                let key = Key::from([Key::from(write.generation), Key::from(number as u64)]);
                changes.push(Change::Put(Table::Rows, key, part.as_bytes().to_vec()));
            }
            match self.write_folded(transaction).await? {
                Folded::Stored => {
                    let key = (write.name.to_string(), write.version);
                    self.projections.borrow_mut().insert(key, after);
                    return Ok(true);
                }
                Folded::Cut => return Ok(false),
                Folded::Changed => {}
            }
            // The live rows, perhaps, were folded on meanwhile.
        }
        Err(StoreError::contended(MAX_TRIES))
    }

    /// Writes the rows of some staged parts where they belong and forgets these parts, each in a transaction of its own.
    /// True when none is left, or when the rebuild is not under way any more.
    pub async fn flush_rows(&self, name: &str, version: u32, generation: u64) -> Result<bool, StoreError> {
        let key = (name.to_owned(), version);
        let known = self.projections.borrow().get(&key).cloned();
        let state = match known {
            Some(state) => state,
            None => self.projection(name, version, "").await?.state,
        };
        let parts = Read::Scan {
            table: Table::Rows,
            range: staged(generation),
            order: Order::Ascending,
            limit: Some(PARTS_AT_ONCE),
        };
        let parts = self.storage.read(vec![parts]).await?.into_iter().flatten();
        let parts: Vec<Entry> = parts
            .filter(|_| state.rebuild.is_some_and(|rebuild| rebuild.generation == generation))
            .collect();
        let done = parts.is_empty();
        let mut before: Option<Begun<Written>> = None;
        let mut written = true;
        for part in parts {
            let mut write = Write::relaxed();
            change_projection(&mut write, name, version, &state, &state);
            flush_part(&mut write.changes, generation, part)?;
            let storage = Rc::clone(&self.storage);
            // One is made while another one is written.
            let begun = Begun::new(async move { storage.write(write).await });
            if let Some(before) = before.replace(begun) {
                written &= before.answer().await? == Written::Done;
            }
        }
        if let Some(last) = before {
            written &= last.answer().await? == Written::Done;
        }
        if !written {
            // Somebody changed the projection: the next call sees how.
            self.projections.borrow_mut().remove(&key);
        }
        Ok(done)
    }
}

/// The state of the projection after `write`; none if it is not where the rows were folded from.
fn advance(write: &RowWrite<'_>, before: &ProjectionState) -> Option<ProjectionState> {
    let checkpoint = write.checkpoint;
    if before.generation == write.generation {
        let matches = before.checkpoint == write.expected_checkpoint && before.revision == write.revision;
        return matches.then(|| ProjectionState {
            checkpoint,
            failed_at: write.failed_at,
            revision: before.revision + u64::from(write.replaces),
            ..before.clone()
        });
    }
    let rebuild = before.rebuild?;
    let matches = rebuild.generation == write.generation && rebuild.checkpoint == write.expected_checkpoint;
    matches.then(|| ProjectionState {
        rebuild: Some(Rebuild {
            generation: rebuild.generation,
            checkpoint,
        }),
        ..before.clone()
    })
}

/// Puts the rows of one staged part where they belong, and deletes the part.
fn flush_part(changes: &mut Vec<Change>, generation: u64, part: Entry) -> Result<(), StoreError> {
    let malformed = || StoreError::format("staged rows", FormatError::Malformed("rows"));
    let rows = str::from_utf8(&part.value).map_err(|_| malformed())?;
    let rows: Vec<RowChange<'_>> = parse(rows).map_err(|_| malformed())?;
    for row in &rows {
        put_row(changes, generation, row);
    }
    changes.push(Change::Delete(Table::Rows, KeyRange::only(part.key)));
    Ok(())
}

fn put_row(changes: &mut Vec<Change>, generation: u64, RowChange(key, row, before, after): &RowChange<'_>) {
    match row {
        Some(row) => {
            changes.push(Change::Put(
                Table::Rows,
                row_key(generation, key),
                row.get().as_bytes().to_vec(),
            ));
        }
        None => changes.push(Change::Delete(Table::Rows, KeyRange::only(row_key(generation, key)))),
    }
    for index in 0..before.len().max(after.len()) {
        let old = before.get(index).and_then(Option::as_ref);
        let new = after.get(index).and_then(Option::as_ref);
        if old == new {
            continue;
        }
        let entry = |value: &IndexValue<'_>| {
            Key::from([
                Key::from(generation),
                Key::from(index as u64),
                index_key(value),
                Key::from(&**key),
            ])
        };
        if let Some(old) = old {
            changes.push(Change::Delete(Table::Index, KeyRange::only(entry(old))));
        }
        if let Some(new) = new {
            changes.push(Change::Put(Table::Index, entry(new), Vec::new()));
        }
    }
}

/// The parts in which rows of a generation are staged: numbers come before the texts that are keys of rows.
fn staged(generation: u64) -> KeyRange {
    let start = |key| Key::from([Key::from(generation), key]);
    KeyRange {
        lower: Bound::Including(start(Key::from(0))),
        upper: Bound::Excluding(start(Key::from(""))),
    }
}
