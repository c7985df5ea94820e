//! Storage of a tab that others get in the way of, at whichever of its calls they like.

use everfold::store::{Change, Closed, Entry, MemoryStorage, Read, Storage, StorageError, When, Write, Written};

/// What the tab calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Call {
    Read,
    Write,
    /// A write that takes a number of the journal.
    Append,
}

/// Calls `meddle` before each call takes effect, and after it did but before the tab hears of it.
pub(crate) struct Meddling<F> {
    pub(crate) storage: MemoryStorage,
    pub(crate) meddle: F,
}

impl<F: AsyncFn(Call, When) + 'static> Storage for Meddling<F> {
    async fn read(&self, reads: Vec<Read>) -> Result<Vec<Vec<Entry>>, StorageError> {
        (self.meddle)(Call::Read, When::Before).await;
        let found = self.storage.read(reads).await;
        (self.meddle)(Call::Read, When::After).await;
        found
    }

    async fn write(&self, write: Write) -> Result<Written, StorageError> {
        let appends = |change: &Change| matches!(change, Change::Append { .. } | Change::Add { .. });
        let call = if write.changes.iter().any(appends) {
            Call::Append
        } else {
            Call::Write
        };
        (self.meddle)(call, When::Before).await;
        let written = self.storage.write(write).await;
        (self.meddle)(call, When::After).await;
        written
    }

    fn close(&self) {
        self.storage.close();
    }

    fn closed(&self) -> Closed {
        self.storage.closed()
    }
}
