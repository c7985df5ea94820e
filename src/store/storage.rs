//! The port: what the store asks of whatever keeps its bytes.
//!
//! Seven tables of bytes by key, one transaction a call. A transaction is data, so that a fake can
//! fail the k-th one, a simulation can delay it, and every rule above it is tested natively. Nothing
//! here knows what the bytes mean.
//!
//! Invariant: a [`Write`] is applied whole or not at all, and `write` returns only once it is
//! applied for good (in IndexedDB: the transaction's `complete` event).

use std::cmp::Ordering;
use std::future::Future;

use super::closing::Closed;

/// The tables of a store. In IndexedDB each is an object store of the same name, in lower case.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Table {
    /// Format version, replica, journal floor, state of each projection. Small, read at start-up.
    Meta,
    /// Append-only records; keys are given by the table itself: 1, 2, 3…, never reused.
    Journal,
    /// One directory for each sealed segment, by its first position.
    Segments,
    /// The compressed blocks of sealed segments.
    Blocks,
    /// Folded states of streams.
    Snapshots,
    /// Rows of projections, by generation and key.
    Rows,
    /// Index entries of rows: generation, index, value, key.
    Index,
}

impl Table {
    /// Every table, in the order in which a database is made.
    pub const ALL: [Self; 7] = [
        Self::Meta,
        Self::Journal,
        Self::Segments,
        Self::Blocks,
        Self::Snapshots,
        Self::Rows,
        Self::Index,
    ];

    /// The name of the object store.
    pub fn name(self) -> &'static str {
        match self {
            Self::Meta => "meta",
            Self::Journal => "journal",
            Self::Segments => "segments",
            Self::Blocks => "blocks",
            Self::Snapshots => "snapshots",
            Self::Rows => "rows",
            Self::Index => "index",
        }
    }
}

/// A key, ordered as IndexedDB orders keys: numbers, then text by UTF-16 code units, then lists.
#[derive(Debug, Clone, PartialEq)]
pub enum Key {
    /// A finite number. Integers stay exact below 2^53.
    Number(f64),
    /// Well-formed text.
    Text(String),
    /// Keys compared one after the other; a prefix comes before what it begins.
    List(Vec<Key>),
}

impl Eq for Key {}

impl PartialOrd for Key {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Key {
    fn cmp(&self, other: &Self) -> Ordering {
        match (self, other) {
            // `+ 0.0` makes one zero of the two, as IndexedDB does.
            (Self::Number(a), Self::Number(b)) => (a + 0.0).total_cmp(&(b + 0.0)),
            (Self::Text(a), Self::Text(b)) => a.encode_utf16().cmp(b.encode_utf16()),
            (Self::List(a), Self::List(b)) => a.cmp(b),
            (Self::Number(_), _) | (Self::Text(_), Self::List(_)) => Ordering::Less,
            _ => Ordering::Greater,
        }
    }
}

impl Key {
    /// The key of the row that an index entry with this key points to, see [`Read::Indexed`].
    pub(crate) fn indexed_row(&self) -> Option<Self> {
        match self {
            Self::List(parts) => match parts.as_slice() {
                [generation, _, _, key] => Some(Self::List(vec![generation.clone(), key.clone()])),
                _ => None,
            },
            _ => None,
        }
    }
}

impl From<u64> for Key {
    fn from(number: u64) -> Self {
        Self::Number(number as f64)
    }
}

impl From<&str> for Key {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl<const N: usize> From<[Key; N]> for Key {
    fn from(parts: [Key; N]) -> Self {
        Self::List(parts.into())
    }
}

/// Where a range begins or ends.
#[derive(Debug, Clone, PartialEq)]
pub enum Bound {
    /// No limit on this side.
    Open,
    /// This key and what lies inside of it.
    Including(Key),
    /// What lies inside of this key, without it.
    Excluding(Key),
}

/// A range of keys. A range that can hold nothing (lower above upper) is empty, not an error.
#[derive(Debug, Clone, PartialEq)]
pub struct KeyRange {
    /// Where it begins.
    pub lower: Bound,
    /// Where it ends.
    pub upper: Bound,
}

impl KeyRange {
    /// Every key.
    pub const ALL: Self = Self {
        lower: Bound::Open,
        upper: Bound::Open,
    };

    /// One key.
    pub fn only(key: Key) -> Self {
        Self {
            lower: Bound::Including(key.clone()),
            upper: Bound::Including(key),
        }
    }

    /// Keys from `lower` on, with it.
    pub fn from(lower: Key) -> Self {
        Self {
            lower: Bound::Including(lower),
            upper: Bound::Open,
        }
    }

    /// Keys after `lower`.
    pub fn after(lower: Key) -> Self {
        Self {
            lower: Bound::Excluding(lower),
            upper: Bound::Open,
        }
    }

    /// Keys up to `upper`, with it.
    pub fn up_to(upper: Key) -> Self {
        Self {
            lower: Bound::Open,
            upper: Bound::Including(upper),
        }
    }

    /// Lists that begin with `parts`: from the prefix itself to just before the next one. A list
    /// sorts above every number and text, so the empty list at the end closes one more part that is
    /// a number or a text; parts below are never lists.
    pub fn prefix(parts: &[Key]) -> Self {
        let mut end = parts.to_vec();
        end.push(Key::List(Vec::new()));
        Self {
            lower: Bound::Including(Key::List(parts.to_vec())),
            upper: Bound::Excluding(Key::List(end)),
        }
    }

    /// Whether no key can lie in it. IndexedDB throws a `DataError` for such a range.
    pub fn is_empty(&self) -> bool {
        match (&self.lower, &self.upper) {
            (Bound::Including(lower), Bound::Including(upper)) => lower > upper,
            (Bound::Including(lower) | Bound::Excluding(lower), Bound::Excluding(upper))
            | (Bound::Excluding(lower), Bound::Including(upper)) => lower >= upper,
            _ => false,
        }
    }

    /// Whether `key` lies in it.
    pub fn contains(&self, key: &Key) -> bool {
        let above = match &self.lower {
            Bound::Open => true,
            Bound::Including(lower) => key >= lower,
            Bound::Excluding(lower) => key > lower,
        };
        above
            && match &self.upper {
                Bound::Open => true,
                Bound::Including(upper) => key <= upper,
                Bound::Excluding(upper) => key < upper,
            }
    }
}

/// Which end of a range comes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// Lowest key first.
    Ascending,
    /// Highest key first.
    Descending,
}

/// One question of a read transaction.
#[derive(Debug, Clone, PartialEq)]
pub enum Read {
    /// The value at one key: no entry or one.
    Get(Table, Key),
    /// The entries of a range, in order, at most `limit`.
    Scan {
        /// Where to look.
        table: Table,
        /// Which keys.
        range: KeyRange,
        /// From which end.
        order: Order,
        /// How many at most.
        limit: Option<u32>,
    },
    /// How many keys lie in a range, as the one number key of one entry with an empty value.
    Count(Table, KeyRange),
    /// Scans [`Table::Index`] and returns, in the order of the index, the row that each entry points
    /// to: the entry `[generation, index, value, key]` means the row `[generation, key]`. An entry
    /// whose row is missing, or that has another shape, is left out, after the limit was applied.
    Indexed {
        /// Which index entries.
        range: KeyRange,
        /// From which end.
        order: Order,
        /// How many index entries at most.
        limit: Option<u32>,
    },
}

/// A key with its value.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    /// The key, in [`Read::Indexed`] that of the index entry.
    pub key: Key,
    /// The bytes.
    pub value: Vec<u8>,
}

/// Whether a transaction may report success before the bytes have reached the disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Durability {
    /// Flushed to the disk: survives a power cut.
    #[default]
    Strict,
    /// Handed to the operating system: survives a killed browser, not a power cut.
    Relaxed,
}

/// One change of a write transaction.
#[derive(Debug, Clone, PartialEq)]
pub enum Change {
    /// Writes a value, replacing what was there.
    Put(Table, Key, Vec<u8>),
    /// Deletes every key of a range.
    Delete(Table, KeyRange),
    /// Adds `value` to the journal, if the number that the journal gives it is `expected`: the
    /// compare-and-set of the whole log. No read precedes it, which is why an append is fast.
    Append {
        /// The record.
        value: Vec<u8>,
        /// The number it must get.
        expected: u64,
    },
    /// Adds `value` to the journal like [`Change::Append`], but without waiting for its number before
    /// everything is committed, which saves a round trip. When the number is another one the write
    /// ends with [`Written::Raced`] and is stored nevertheless: whoever reads the record must be able
    /// to tell from its bytes that it counts for nothing.
    Add {
        /// The record, which says which number it should have.
        value: Vec<u8>,
        /// That number.
        expected: u64,
    },
}

/// What must hold inside the write transaction, or nothing is written.
#[derive(Debug, Clone, PartialEq)]
pub struct Check {
    /// Where to look.
    pub table: Table,
    /// Which key.
    pub key: Key,
    /// The bytes that must be there, or none.
    pub expected: Option<Vec<u8>>,
}

/// A write transaction: checks first, then the changes in order, all or nothing.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Write {
    /// What must hold.
    pub checks: Vec<Check>,
    /// What changes.
    pub changes: Vec<Change>,
    /// When it counts as done.
    pub durability: Durability,
}

impl Write {
    /// One of nothing yet that may be lost in a power cut.
    pub(crate) fn relaxed() -> Self {
        Self {
            durability: Durability::Relaxed,
            ..Self::default()
        }
    }
}

/// How a write transaction ended without an error.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Written {
    /// All of it is stored.
    Done,
    /// A check did not hold; nothing was written.
    CheckFailed {
        /// Which of the checks.
        index: usize,
    },
    /// The journal gave another number: someone else appended first. Nothing was written, but for a
    /// write with [`Change::Add`], which was.
    Raced,
}

/// Why storage could not do what it was asked. Nothing was written, with one exception: a write that
/// was under way when the connection was lost, reported as [`StorageError::Closed`], may have been
/// applied. Only opening again and looking tells.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum StorageError {
    /// The disk or the origin's share of it is full.
    #[error("the browser's storage quota is used up")]
    QuotaExceeded,
    /// There is no storage here, or it does not open.
    #[error("storage is not available: {0}")]
    Unavailable(String),
    /// Another tab holds an older version open, or a transaction did not finish in time.
    #[error("storage is blocked: {0}")]
    Blocked(String),
    /// The connection is closed: by us, by a newer version in another tab, or by the browser.
    #[error("storage is closed: {0}")]
    Closed(String),
    /// The transaction was aborted by the browser.
    #[error("the storage transaction was aborted: {0}")]
    Aborted(String),
    /// The database was written by a later release.
    #[error("the database has version {found}, this release knows up to {known}")]
    Newer {
        /// The version of the database.
        found: u64,
        /// The highest one known here.
        known: u64,
    },
    /// What is there is no store, or has lost a part.
    #[error("a database of this name is not a store: {0}")]
    Foreign(String),
    /// Anything else that the browser said.
    #[error("storage failed: {0}")]
    Failed(String),
}

/// Keeps tables of bytes. Cheap to share: all methods take `&self`, several calls may be under way.
pub trait Storage: 'static {
    /// Answers all of `reads` from one instant, in their order.
    fn read(&self, reads: Vec<Read>) -> impl Future<Output = Result<Vec<Vec<Entry>>, StorageError>>;

    /// Runs one write transaction.
    fn write(&self, write: Write) -> impl Future<Output = Result<Written, StorageError>>;

    /// Closes the connection. Calls under way finish, later ones fail with [`StorageError::Closed`].
    fn close(&self);

    /// Resolves once this handle is closed, at once if it already is, with who closed it: the only
    /// way to hear that another tab or the browser did.
    fn closed(&self) -> Closed;
}
