//! The storage that a store was opened with, chosen at run time.
//!
//! Its futures are boxed: one allocation a transaction, instead of a copy of the whole IndexedDB
//! machinery in every function that waits for one. That is a third of the wasm.

use std::fmt;
use std::future::Future;
use std::pin::Pin;

use crate::store::{Closed, Entry, Read, Storage, StorageError, Write, Written};

/// Any storage.
pub(super) struct AnyStorage(Box<dyn Boxed>);

type Waiting<'a, T> = Pin<Box<dyn Future<Output = Result<T, StorageError>> + 'a>>;

trait Boxed {
    fn read(&self, reads: Vec<Read>) -> Waiting<'_, Vec<Vec<Entry>>>;
    fn write(&self, write: Write) -> Waiting<'_, Written>;
    fn close(&self);
    fn closed(&self) -> Closed;
}

impl<S: Storage> Boxed for S {
    fn read(&self, reads: Vec<Read>) -> Waiting<'_, Vec<Vec<Entry>>> {
        Box::pin(Storage::read(self, reads))
    }

    fn write(&self, write: Write) -> Waiting<'_, Written> {
        Box::pin(Storage::write(self, write))
    }

    fn close(&self) {
        Storage::close(self);
    }

    fn closed(&self) -> Closed {
        Storage::closed(self)
    }
}

impl AnyStorage {
    pub(super) fn new(storage: impl Storage) -> Self {
        Self(Box::new(storage))
    }
}

// By hand: derived, it would bring all that can print what is in a storage.
impl fmt::Debug for AnyStorage {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("AnyStorage")
    }
}

impl Storage for AnyStorage {
    async fn read(&self, reads: Vec<Read>) -> Result<Vec<Vec<Entry>>, StorageError> {
        self.0.read(reads).await
    }

    async fn write(&self, write: Write) -> Result<Written, StorageError> {
        self.0.write(write).await
    }

    fn close(&self) {
        self.0.close();
    }

    fn closed(&self) -> Closed {
        self.0.closed()
    }
}
