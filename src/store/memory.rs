//! Storage in memory: the reference for what every other storage must do.
//!
//! For tests, for Node and for a server. It answers exactly as IndexedDB answers, down to what is an
//! error, so that a rule proved here holds in the browser; only the disk is missing. Several
//! handles may share one database, as tabs do.

use std::cell::RefCell;
use std::collections::btree_map::{BTreeMap, Range};
use std::collections::hash_map::HashMap;
use std::ops;
use std::rc::{Rc, Weak};

use super::closing::Closing;
use super::{
    Bound, Change, Check, Closed, ClosedBy, Entry, Key, KeyRange, Order, Read, Storage, StorageError, Table, Write,
    Written,
};

type Rows = BTreeMap<Key, Vec<u8>>;

/// A key generator gives no number above this one, and never wraps around.
const LAST_NUMBER: f64 = 9_007_199_254_740_992.0;

thread_local! {
    static NAMED: RefCell<HashMap<String, MemoryDatabase>> = RefCell::default();
}

/// The data that handles share. It lives as long as a handle, a clone of this or its name does.
#[derive(Debug, Clone, Default)]
pub struct MemoryDatabase(Rc<RefCell<Database>>);

#[derive(Debug, Default)]
struct Database {
    tables: [Rows; Table::ALL.len()],
    /// How many numbers the journal has given, deleted ones included.
    given: f64,
    handles: Vec<Weak<Closing>>,
}

/// One handle on a [`MemoryDatabase`], what a connection of one tab is in a browser.
///
/// Calls are done at once: their futures never wait. Dropping the handle closes it in silence.
#[derive(Debug)]
pub struct MemoryStorage {
    database: Rc<RefCell<Database>>,
    closing: Rc<Closing>,
}

impl MemoryDatabase {
    /// An empty database that nobody else can find.
    pub fn new() -> Self {
        Self::default()
    }

    /// The database of this name in this thread, made empty if there is none. It stays, closed or
    /// not, until [`delete`](Self::delete) or the end of the thread.
    pub fn named(name: &str) -> Self {
        NAMED.with_borrow_mut(|named| named.entry(name.to_owned()).or_default().clone())
    }

    /// Another database with the same content, as of a copied profile.
    #[must_use]
    pub fn copy(&self) -> Self {
        let database = self.0.borrow();
        Self(Rc::new(RefCell::new(Database {
            tables: database.tables.clone(),
            given: database.given,
            handles: Vec::new(),
        })))
    }

    /// Forgets the database of this name and closes its handles, with [`ClosedBy::Deletion`].
    pub fn delete(name: &str) {
        let Some(MemoryDatabase(database)) = NAMED.with_borrow_mut(|named| named.remove(name)) else {
            return;
        };
        let handles = std::mem::take(&mut database.borrow_mut().handles);
        for handle in handles.iter().filter_map(Weak::upgrade) {
            handle.close(ClosedBy::Deletion);
        }
    }
}

impl MemoryStorage {
    /// One more handle on `database`.
    pub fn open(database: &MemoryDatabase) -> Self {
        let closing = Rc::new(Closing::default());
        let handles = &mut database.0.borrow_mut().handles;
        handles.retain(|handle| handle.strong_count() > 0);
        handles.push(Rc::downgrade(&closing));
        Self {
            database: Rc::clone(&database.0),
            closing,
        }
    }
}

impl Storage for MemoryStorage {
    async fn read(&self, reads: Vec<Read>) -> Result<Vec<Vec<Entry>>, StorageError> {
        self.closing.check()?;
        let database = self.database.borrow();
        reads.iter().map(|read| database.answer(read)).collect()
    }

    async fn write(&self, write: Write) -> Result<Written, StorageError> {
        self.closing.check()?;
        self.database.borrow_mut().write(write)
    }

    fn close(&self) {
        self.closing.close(ClosedBy::Caller);
    }

    fn closed(&self) -> Closed {
        self.closing.closed()
    }
}

impl Database {
    #[expect(clippy::indexing_slicing, reason = "there is one for each table")]
    fn rows(&self, table: Table) -> &Rows {
        &self.tables[table as usize]
    }

    #[expect(clippy::indexing_slicing, reason = "there is one for each table")]
    fn rows_mut(&mut self, table: Table) -> &mut Rows {
        &mut self.tables[table as usize]
    }

    fn answer(&self, read: &Read) -> Result<Vec<Entry>, StorageError> {
        Ok(match read {
            Read::Get(table, key) => {
                valid(key)?;
                let value = self.rows(*table).get(key);
                value.map(|value| entry(key, value)).into_iter().collect()
            }
            Read::Scan {
                table,
                range,
                order,
                limit,
            } => self
                .scan(*table, range, *order, *limit)?
                .map(|(key, value)| entry(key, value))
                .collect(),
            Read::Count(table, range) => {
                let count = self.scan(*table, range, Order::Ascending, None)?.count();
                vec![Entry {
                    key: Key::Number(count as f64),
                    value: Vec::new(),
                }]
            }
            Read::Indexed { range, order, limit } => self
                .scan(Table::Index, range, *order, *limit)?
                .filter_map(|(key, _)| {
                    let row = self.rows(Table::Rows).get(&key.indexed_row()?)?;
                    Some(entry(key, row))
                })
                .collect(),
        })
    }

    fn scan(
        &self,
        table: Table,
        range: &KeyRange,
        order: Order,
        limit: Option<u32>,
    ) -> Result<impl Iterator<Item = (&Key, &Vec<u8>)>, StorageError> {
        valid_range(range)?;
        let mut rows = (!range.is_empty()).then(|| {
            let bounds = (std_bound(&range.lower), std_bound(&range.upper));
            self.rows(table).range::<Key, _>(bounds)
        });
        let next = move || {
            let rows: &mut Range<'_, _, _> = rows.as_mut()?;
            match order {
                Order::Ascending => rows.next(),
                Order::Descending => rows.next_back(),
            }
        };
        Ok(std::iter::from_fn(next).take(limit.map_or(usize::MAX, |limit| limit as usize)))
    }

    /// Decides everything before it touches anything, so there is nothing to roll back.
    fn write(&mut self, write: Write) -> Result<Written, StorageError> {
        write.checks.iter().try_for_each(|check| valid(&check.key))?;
        for change in &write.changes {
            match change {
                Change::Put(_, key, _) => valid(key)?,
                Change::Delete(_, range) => valid_range(range)?,
                Change::Append { .. } | Change::Add { .. } => {}
            }
        }
        for (index, Check { table, key, expected }) in write.checks.iter().enumerate() {
            if self.rows(*table).get(key) != expected.as_ref() {
                return Ok(Written::CheckFailed { index });
            }
        }
        let mut given = self.given;
        let mut written = Written::Done;
        for change in &write.changes {
            match change {
                Change::Put(table, key, _) => given = given_after(given, *table, key),
                Change::Append { .. } | Change::Add { .. } if given >= LAST_NUMBER => {
                    return Err(StorageError::Aborted("the journal has no numbers left".to_owned()));
                }
                Change::Append { expected, .. } => {
                    given += 1.0;
                    if Key::Number(given) != Key::from(*expected) {
                        return Ok(Written::Raced);
                    }
                }
                Change::Add { expected, .. } => {
                    given += 1.0;
                    if Key::Number(given) != Key::from(*expected) {
                        written = Written::Raced;
                    }
                }
                Change::Delete(..) => {}
            }
        }
        for change in write.changes {
            self.apply(change);
        }
        Ok(written)
    }

    fn apply(&mut self, change: Change) {
        match change {
            Change::Put(table, key, value) => {
                self.given = given_after(self.given, table, &key);
                self.rows_mut(table).insert(key, value);
            }
            Change::Append { value, .. } | Change::Add { value, .. } => {
                self.given += 1.0;
                let key = Key::Number(self.given);
                self.rows_mut(Table::Journal).insert(key, value);
            }
            Change::Delete(table, range) => {
                if range.is_empty() {
                    return;
                }
                let rows = self.rows_mut(table);
                let bounds = (std_bound(&range.lower), std_bound(&range.upper));
                let doomed: Vec<Key> = rows.range::<Key, _>(bounds).map(|(key, _)| key.clone()).collect();
                for key in &doomed {
                    rows.remove(key);
                }
            }
        }
    }
}

/// The highest number given after a put: one that a caller chooses counts as given, as in IndexedDB.
fn given_after(given: f64, table: Table, key: &Key) -> f64 {
    match (table, key) {
        (Table::Journal, Key::Number(number)) => given.max(number.min(LAST_NUMBER).floor()),
        _ => given,
    }
}

fn entry(key: &Key, value: &[u8]) -> Entry {
    Entry {
        key: key.clone(),
        value: value.to_vec(),
    }
}

fn std_bound(bound: &Bound) -> ops::Bound<&Key> {
    match bound {
        Bound::Open => ops::Bound::Unbounded,
        Bound::Including(key) => ops::Bound::Included(key),
        Bound::Excluding(key) => ops::Bound::Excluded(key),
    }
}

/// IndexedDB refuses a key that has no place in the order.
fn valid(key: &Key) -> Result<(), StorageError> {
    match key {
        Key::Number(number) if !number.is_finite() => {
            Err(StorageError::Failed("a key must be a finite number".to_owned()))
        }
        Key::Number(_) | Key::Text(_) => Ok(()),
        Key::List(parts) => parts.iter().try_for_each(valid),
    }
}

fn valid_range(range: &KeyRange) -> Result<(), StorageError> {
    for bound in [&range.lower, &range.upper] {
        if let Bound::Including(key) | Bound::Excluding(key) = bound {
            valid(key)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn append(expected: u64) -> Write {
        Write {
            changes: vec![Change::Append {
                value: vec![1],
                expected,
            }],
            ..Write::default()
        }
    }

    #[test]
    fn one_name_is_one_database() {
        let name = "one_name_is_one_database";
        let (first, second) = (MemoryDatabase::named(name), MemoryDatabase::named(name));
        let (first, second) = (MemoryStorage::open(&first), MemoryStorage::open(&second));

        assert_eq!(pollster::block_on(first.write(append(1))), Ok(Written::Done));
        assert_eq!(pollster::block_on(second.write(append(1))), Ok(Written::Raced));
        assert_eq!(pollster::block_on(second.write(append(2))), Ok(Written::Done));
    }

    #[test]
    fn deleting_a_name_closes_its_handles_and_frees_it() {
        let name = "deleting_a_name_closes_its_handles_and_frees_it";
        let old = MemoryStorage::open(&MemoryDatabase::named(name));
        assert_eq!(pollster::block_on(old.write(append(1))), Ok(Written::Done));

        MemoryDatabase::delete(name);
        MemoryDatabase::delete("there is none of this name");

        assert_eq!(pollster::block_on(old.closed()), ClosedBy::Deletion);
        assert_eq!(pollster::block_on(old.write(append(2))), Err(ClosedBy::Deletion.into()));
        let new = MemoryStorage::open(&MemoryDatabase::named(name));
        assert_eq!(pollster::block_on(new.write(append(1))), Ok(Written::Done));
    }

    #[test]
    fn a_journal_out_of_numbers_refuses_to_append() {
        let storage = MemoryStorage::open(&MemoryDatabase::new());
        let last = Write {
            changes: vec![Change::Put(Table::Journal, Key::from(1 << 53), vec![1])],
            ..Write::default()
        };
        assert_eq!(pollster::block_on(storage.write(last)), Ok(Written::Done));

        let written = pollster::block_on(storage.write(append((1 << 53) + 1)));

        assert!(matches!(written, Err(StorageError::Aborted(_))), "{written:?}");
    }
}
