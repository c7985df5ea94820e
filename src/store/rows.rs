//! Rows of projections: written with their checkpoint, read by key, by range or through an index.

use std::borrow::Cow;
use std::rc::Rc;

use super::ahead::Begun;
use super::append::MAX_TRIES;
use super::cut::Folded;
use super::projections::{ProjectionState, Rebuild, generation_key};
use super::storage::{Bound, Change, Entry, Key, KeyRange, Order, Read, Storage, Table, Write, Written};
use super::{Store, StoreError};
use crate::json::{FromJson, JsonReader, RawJson, parse, put_text};
use crate::log::FormatError;
use crate::position::Position;
use crate::projection::IndexValue;

/// So many parts are read at once to be flushed: some 100 KiB.
const PARTS_AT_ONCE: u32 = 8;

/// The value as a part of a key of the index.
fn index_key(value: &IndexValue<'_>) -> Key {
    match value {
        IndexValue::Number(number) => Key::Number(*number),
        IndexValue::Text(text) => Key::from(&**text),
    }
}

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

/// A range of rows. Without `index` the bounds are keys.
#[derive(Debug, Default)]
pub struct RowQuery<'a> {
    /// Of which generation.
    pub generation: u64,
    /// By which index.
    pub index: Option<u64>,
    /// At least.
    pub gte: Option<IndexValue<'a>>,
    /// Above.
    pub gt: Option<IndexValue<'a>>,
    /// At most.
    pub lte: Option<IndexValue<'a>>,
    /// Below.
    pub lt: Option<IndexValue<'a>>,
    /// Texts that begin so.
    pub prefix: Option<Cow<'a, str>>,
    /// Highest first.
    pub reverse: bool,
    /// At most so many.
    pub limit: Option<u32>,
    /// The last row of the page before.
    pub after: Option<After<'a>>,
}

/// Where a page begins.
#[derive(Debug)]
pub struct After<'a> {
    /// The index value, when reading by index.
    pub value: Option<IndexValue<'a>>,
    /// The key.
    pub key: Cow<'a, str>,
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

impl<'a> FromJson<'a> for RowQuery<'a> {
    fn read(json: &mut JsonReader<'a>) -> Self {
        let mut query = Self::default();
        json.object();
        while let Some(field) = json.field() {
            match &*field {
                "generation" => query.generation = u64::read(json),
                "index" => query.index = Option::read(json),
                "gte" => query.gte = Option::read(json),
                "gt" => query.gt = Option::read(json),
                "lte" => query.lte = Option::read(json),
                "lt" => query.lt = Option::read(json),
                "prefix" => query.prefix = Option::read(json),
                "reverse" => query.reverse = bool::read(json),
                "limit" => query.limit = Option::read(json),
                "after" => query.after = Option::read(json),
                _ => drop(json.raw()),
            }
        }
        query
    }
}

impl<'a> FromJson<'a> for After<'a> {
    fn read(json: &mut JsonReader<'a>) -> Self {
        let (mut value, mut key) = (None, None);
        json.object();
        while let Some(field) = json.field() {
            match &*field {
                "value" => value = Option::read(json),
                "key" => key = Some(json.text()),
                _ => drop(json.raw()),
            }
        }
        Self {
            value,
            key: json.required(key, "key"),
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
        Self::change_projection(&mut transaction, &write.name, write.version, before, &after);
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
            Self::change_projection(&mut transaction, &write.name, write.version, &before, &after);
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
            Self::change_projection(&mut write, name, version, &state, &state);
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

    /// Rows by key, a JSON list with null for what is missing; none if the generation is gone.
    pub async fn rows(&self, generation: u64, keys: &[Cow<'_, str>]) -> Result<Option<String>, StoreError> {
        let Some(found) = self.row_texts(generation, keys).await? else {
            return Ok(None);
        };
        let mut out = String::from("[");
        for (number, row) in found.into_iter().enumerate() {
            if number > 0 {
                out.push(',');
            }
            out.push_str(row.as_deref().unwrap_or("null"));
        }
        out.push(']');
        Ok(Some(out))
    }

    /// Rows by key, as texts; none if the generation is gone.
    pub(crate) async fn row_texts(
        &self,
        generation: u64,
        keys: &[impl AsRef<str>],
    ) -> Result<Option<Vec<Option<String>>>, StoreError> {
        self.check_open()?;
        let mut reads = vec![Read::Get(Table::Meta, generation_key(generation))];
        reads.extend(
            keys.iter()
                .map(|key| Read::Get(Table::Rows, row_key(generation, key.as_ref()))),
        );
        let mut found = self.storage.read(reads).await?.into_iter();
        if found.next().is_none_or(|marker| marker.is_empty()) {
            return Ok(None);
        }
        found
            .map(|entries| entries.into_iter().next().map(into_text).transpose())
            .collect::<Result<_, _>>()
            .map(Some)
    }

    /// Rows of a range, a JSON list of `[key, row]`; none if the generation is gone.
    pub async fn list_rows(&self, query: &RowQuery<'_>) -> Result<Option<String>, StoreError> {
        let Some(found) = self.find_rows(query).await? else {
            return Ok(None);
        };
        let mut out = String::from("[");
        for (key, row) in found {
            out.push_str(if out.len() == 1 { "[" } else { ",[" });
            put_text(&mut out, &key);
            out.push(',');
            out.push_str(&row);
            out.push(']');
        }
        out.push(']');
        Ok(Some(out))
    }

    /// Rows of a range, key and text; none if the generation is gone.
    pub(crate) async fn find_rows(&self, query: &RowQuery<'_>) -> Result<Option<Vec<(String, String)>>, StoreError> {
        self.check_open()?;
        let order = if query.reverse {
            Order::Descending
        } else {
            Order::Ascending
        };
        let (range, limit) = (range_of(query), query.limit);
        let read = match query.index {
            Some(_) => Read::Indexed { range, order, limit },
            None => Read::Scan {
                table: Table::Rows,
                range,
                order,
                limit,
            },
        };
        let mut found = self
            .storage
            .read(vec![Read::Get(Table::Meta, generation_key(query.generation)), read])
            .await?
            .into_iter();
        if found.next().is_none_or(|marker| marker.is_empty()) {
            return Ok(None);
        }
        let rows = found
            .flatten()
            .map(|entry| Ok((key_of(&entry).to_owned(), into_text(entry)?)));
        rows.collect::<Result<_, StoreError>>().map(Some)
    }

    /// How many rows a generation has; none if it is gone.
    pub async fn count_rows(&self, generation: u64) -> Result<Option<u64>, StoreError> {
        self.check_open()?;
        let reads = vec![
            Read::Get(Table::Meta, generation_key(generation)),
            Read::Count(Table::Rows, KeyRange::prefix(&[Key::from(generation)])),
        ];
        let mut found = self.storage.read(reads).await?.into_iter();
        if found.next().is_none_or(|marker| marker.is_empty()) {
            return Ok(None);
        }
        Ok(found.flatten().next().map(|entry| super::log::number(&entry.key)))
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

fn row_key(generation: u64, key: &str) -> Key {
    Key::from([Key::from(generation), Key::from(key)])
}

/// The range of keys, of rows or of index entries, that a query means.
fn range_of(query: &RowQuery<'_>) -> KeyRange {
    let mut prefix = vec![Key::from(query.generation)];
    prefix.extend(query.index.map(Key::from));
    let inside = |key: Key| {
        let mut parts = prefix.clone();
        parts.push(key);
        parts
    };
    // Every entry with this value, whatever its key, lies between the value alone and the value
    // followed by an empty list.
    let start = |key: Key| Key::List(inside(key));
    let end = |key: Key| {
        let mut parts = inside(key);
        parts.push(Key::List(Vec::new()));
        Key::List(parts)
    };
    let mut range = KeyRange::prefix(&prefix);
    if let Some(value) = &query.gte {
        raise(&mut range, Bound::Including(start(index_key(value))));
    }
    if let Some(value) = &query.gt {
        raise(&mut range, Bound::Excluding(end(index_key(value))));
    }
    if let Some(value) = &query.lte {
        lower(&mut range, Bound::Excluding(end(index_key(value))));
    }
    if let Some(value) = &query.lt {
        lower(&mut range, Bound::Excluding(start(index_key(value))));
    }
    if let Some(text) = &query.prefix {
        raise(&mut range, Bound::Including(start(Key::from(&**text))));
        // U+FFFF is the last code unit and no character: nobody's text goes on with eight of them.
        lower(
            &mut range,
            Bound::Excluding(end(Key::Text(format!("{text}{}", "\u{ffff}".repeat(8))))),
        );
    }
    if let Some(after) = &query.after {
        let key = Key::from(&*after.key);
        let mut parts = prefix.clone();
        parts.extend(after.value.as_ref().map(index_key));
        parts.push(key);
        let bound = Bound::Excluding(Key::List(parts));
        if query.reverse {
            lower(&mut range, bound);
        } else {
            raise(&mut range, bound);
        }
    }
    range
}

/// Moves the lower end of a range up, never down.
fn raise(range: &mut KeyRange, bound: Bound) {
    if let (Some(now), Some(new)) = (bound_key(&range.lower), bound_key(&bound))
        && (new > now || (new == now && matches!(bound, Bound::Excluding(_))))
    {
        range.lower = bound;
    }
}

/// Moves the upper end of a range down, never up.
fn lower(range: &mut KeyRange, bound: Bound) {
    if let (Some(now), Some(new)) = (bound_key(&range.upper), bound_key(&bound))
        && (new < now || (new == now && matches!(bound, Bound::Excluding(_))))
    {
        range.upper = bound;
    }
}

fn bound_key(bound: &Bound) -> Option<&Key> {
    match bound {
        Bound::Open => None,
        Bound::Including(key) | Bound::Excluding(key) => Some(key),
    }
}

/// The key by which the app knows a row.
fn key_of(entry: &Entry) -> &str {
    match &entry.key {
        Key::List(parts) => match parts.last() {
            Some(Key::Text(key)) => key,
            _ => "",
        },
        _ => "",
    }
}

fn into_text(entry: Entry) -> Result<String, StoreError> {
    let Entry { key, value } = entry;
    String::from_utf8(value).map_err(|error| {
        let entry = Entry {
            key,
            value: error.into_bytes(),
        };
        StoreError::format(format!("row {}", key_of(&entry)), FormatError::Malformed("row"))
    })
}
