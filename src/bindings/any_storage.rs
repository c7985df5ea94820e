//! The storage that a store was opened with, chosen at run time.

use crate::store::idb::IdbStorage;
use crate::store::{Closed, Entry, MemoryStorage, Read, Storage, StorageError, Write, Written};

/// Memory or IndexedDB.
#[derive(Debug)]
pub(super) enum AnyStorage {
    Memory(MemoryStorage),
    IndexedDb(IdbStorage),
}

impl Storage for AnyStorage {
    async fn read(&self, reads: Vec<Read>) -> Result<Vec<Vec<Entry>>, StorageError> {
        match self {
            Self::Memory(storage) => storage.read(reads).await,
            Self::IndexedDb(storage) => storage.read(reads).await,
        }
    }

    async fn write(&self, write: Write) -> Result<Written, StorageError> {
        match self {
            Self::Memory(storage) => storage.write(write).await,
            Self::IndexedDb(storage) => storage.write(write).await,
        }
    }

    fn close(&self) {
        match self {
            Self::Memory(storage) => storage.close(),
            Self::IndexedDb(storage) => storage.close(),
        }
    }

    fn closed(&self) -> Closed {
        match self {
            Self::Memory(storage) => storage.closed(),
            Self::IndexedDb(storage) => storage.closed(),
        }
    }
}
