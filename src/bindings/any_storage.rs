//! The storage that a store was opened with, chosen at run time.
//!
//! Its futures are boxed: one allocation a transaction, instead of a copy of the whole IndexedDB
//! machinery in every function that waits for one. That is a third of the wasm.

use std::future::Future;
use std::pin::Pin;

use crate::store::idb::IdbStorage;
use crate::store::{Closed, Entry, Faulty, MemoryStorage, Read, Storage, StorageError, Write, Written};

/// Memory or IndexedDB, either with faults on demand.
#[derive(Debug)]
pub(super) enum AnyStorage {
    Memory(Faulty<MemoryStorage>),
    IndexedDb(Faulty<IdbStorage>),
}

type Waiting<'a, T> = Pin<Box<dyn Future<Output = Result<T, StorageError>> + 'a>>;

impl AnyStorage {
    fn boxed_read(&self, reads: Vec<Read>) -> Waiting<'_, Vec<Vec<Entry>>> {
        match self {
            Self::Memory(storage) => Box::pin(storage.read(reads)),
            Self::IndexedDb(storage) => Box::pin(storage.read(reads)),
        }
    }

    fn boxed_write(&self, write: Write) -> Waiting<'_, Written> {
        match self {
            Self::Memory(storage) => Box::pin(storage.write(write)),
            Self::IndexedDb(storage) => Box::pin(storage.write(write)),
        }
    }
}

impl Storage for AnyStorage {
    async fn read(&self, reads: Vec<Read>) -> Result<Vec<Vec<Entry>>, StorageError> {
        self.boxed_read(reads).await
    }

    async fn write(&self, write: Write) -> Result<Written, StorageError> {
        self.boxed_write(write).await
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
