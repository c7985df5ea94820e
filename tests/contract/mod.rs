//! One suite of sentences that holds for every storage.
//!
//! The same cases run on memory natively and on IndexedDB in a window and in a worker. A sentence
//! is an async function over [`Tabs`]; it is written once, listed once in its file's macro, and each
//! runner turns that list into tests. One left out of the list is an unused function, which fails
//! the lint.
#![expect(clippy::indexing_slicing, reason = "a wrong index fails the test, as it should")]

pub(crate) mod decider;
pub(crate) mod export;
pub(crate) mod ingest;
pub(crate) mod log;
pub(crate) mod projection;
pub(crate) mod query;
pub(crate) mod rows;
pub(crate) mod sealing;
pub(crate) mod storage;

// The runners name a file by its last word.
pub(crate) use self::storage::{checks, handles, key_order, numbers, ranges, values, writes};
use everfold::store::{Change, Entry, Key, KeyRange, Order, Read, Storage, Table, Write, Written};

/// A place for one case: a database that nobody else uses, opened as often as the case likes.
pub(crate) trait Tabs {
    /// The storage under test.
    type Storage: Storage;

    /// One more handle on the same database, as another tab would have it.
    async fn open(&self) -> Self::Storage;
}

/// All entries of `table`, in order.
pub(crate) async fn all(storage: &impl Storage, table: Table) -> Vec<Entry> {
    scan(storage, table, KeyRange::ALL, Order::Ascending, None).await
}

/// The entries of a range.
pub(crate) async fn scan(
    storage: &impl Storage,
    table: Table,
    range: KeyRange,
    order: Order,
    limit: Option<u32>,
) -> Vec<Entry> {
    let read = Read::Scan {
        table,
        range,
        order,
        limit,
    };
    one(storage, read).await
}

/// The answer to one question.
pub(crate) async fn one(storage: &impl Storage, read: Read) -> Vec<Entry> {
    let mut answers = storage.read(vec![read]).await.expect("reads");
    assert_eq!(answers.len(), 1, "one answer a question");
    answers.remove(0)
}

/// How a write of `changes` without a check ends.
pub(crate) async fn change(storage: &impl Storage, changes: Vec<Change>) -> Written {
    let write = Write {
        changes,
        ..Write::default()
    };
    storage.write(write).await.expect("writes")
}

/// Writes `changes`, which must succeed.
pub(crate) async fn done(storage: &impl Storage, changes: Vec<Change>) {
    assert_eq!(change(storage, changes).await, Written::Done);
}

/// A put of readable bytes.
pub(crate) fn put(table: Table, key: impl Into<Key>, value: &str) -> Change {
    Change::Put(table, key.into(), value.as_bytes().to_vec())
}

/// An append of readable bytes.
pub(crate) fn append(expected: u64, value: &str) -> Change {
    Change::Append {
        value: value.as_bytes().to_vec(),
        expected,
    }
}

/// An append that is stored whatever its number.
pub(crate) fn add(expected: u64, value: &str) -> Change {
    Change::Add {
        value: value.as_bytes().to_vec(),
        expected,
    }
}

/// An entry with readable bytes.
pub(crate) fn entry(key: impl Into<Key>, value: &str) -> Entry {
    Entry {
        key: key.into(),
        value: value.as_bytes().to_vec(),
    }
}

/// Only the keys.
pub(crate) fn keys(entries: &[Entry]) -> Vec<Key> {
    entries.iter().map(|entry| entry.key.clone()).collect()
}
