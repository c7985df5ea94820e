//! Opening a store: what start-up reads and checks.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::rc::Rc;

use futures_util::lock::Mutex;

use super::ahead::ReadAhead;
use super::blocks::BlockCache;
use super::log::Log;
use super::meta::{Floor, Identity};
use super::storage::{Change, Check, Durability, Read, Storage, StorageError, Table, Write};
use super::{Store, StoreError};
use crate::log::FormatError;

/// How to open a store.
#[derive(Debug, Clone)]
pub struct OpenOptions {
    /// A fresh random id, taken if the store is new.
    pub replica: String,
    /// Milliseconds since the epoch, written into a new store.
    pub now: i64,
    /// When an append counts as done.
    pub durability: Durability,
}

impl<S: Storage> Store<S> {
    /// Opens the log kept in `storage`, or makes a new one. Reads the directories and the last journal
    /// record; the rest of the journal, at most 256 records, is read when something looks into the log.
    pub async fn open(storage: S, options: OpenOptions) -> Result<Self, StoreError> {
        let (mut identity, mut log) = read_store(&storage).await?;
        if identity.is_none() {
            let made = Identity {
                replica: options.replica,
                created_at: options.now,
            };
            let write = Write {
                checks: vec![Check {
                    table: Table::Meta,
                    key: Identity::key(),
                    expected: None,
                }],
                changes: vec![
                    Change::Put(Table::Meta, Identity::key(), made.encode()),
                    Change::Put(Table::Meta, Floor::key(), Floor::default().encode()),
                ],
                durability: options.durability,
            };
            // A failed check means that another tab made it just now: its identity is the one.
            storage.write(write).await?;
            (identity, log) = read_store(&storage).await?;
        }
        let identity =
            identity.ok_or_else(|| StoreError::format("the store's identity", FormatError::Missing("replica")))?;
        Ok(Self {
            storage: Rc::new(storage),
            ahead: ReadAhead::default(),
            identity,
            durability: options.durability,
            doubtful: Cell::new(log.unread.is_some()),
            blocks: BlockCache::of(log.stored_cuts.clone()),
            log: RefCell::new(log),
            sorted: RefCell::default(),
            commit_filters: RefCell::new(HashMap::new()),
            projections: RefCell::new(HashMap::new()),
            writing: Mutex::new(()),
            closed: Cell::new(false),
            fence: Cell::new(None),
            walk: RefCell::default(),
            pushed: RefCell::default(),
            adopting: RefCell::default(),
            export: Cell::new(None),
            verified: RefCell::default(),
        })
    }

    /// Closes the store. Calls under way finish, later ones fail.
    pub fn close(&self) {
        self.closed.set(true);
        self.ahead.forget();
        self.storage.close();
    }

    pub(crate) fn check_open(&self) -> Result<(), StoreError> {
        if self.closed.get() {
            return Err(StorageError::Closed("the store was closed".to_owned()).into());
        }
        Ok(())
    }
}

/// Reads everything that start-up needs from one instant.
async fn read_store<S: Storage>(storage: &S) -> Result<(Option<Identity>, Log), StoreError> {
    let mut reads = Log::reads_of_end();
    reads.push(Read::Get(Table::Meta, Identity::key()));
    let mut found = storage.read(reads).await?;
    let identity = found.pop().and_then(|entries| entries.into_iter().next());
    let identity = identity
        .map(|entry| Identity::decode(&entry.value))
        .transpose()
        .map_err(|reason| StoreError::format("the store's identity", reason))?;
    let log = match Log::from_last_record(found)? {
        Some(log) => log,
        None => read_log(storage).await?,
    };
    Ok((identity, log))
}

/// Reads floor, directories and journal from one instant.
pub(crate) async fn read_log<S: Storage>(storage: &S) -> Result<Log, StoreError> {
    let mut log = Log::from_entries(storage.read(Log::reads()).await?)?;
    log.tail_is_read()?;
    Ok(log)
}
