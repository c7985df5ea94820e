//! Asking for something before it is needed: what will be wanted next is read while there is work to do on what
//! was read before, and one transaction is written while the next one is being made.

use std::cell::RefCell;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;

use futures_util::FutureExt;

use super::StorageError;
use super::blocks::{BlockId, cuts_read};
use super::sorted::reads_of;
use super::storage::{Entry, Storage};

/// A call of a storage that has begun. It goes on by itself until somebody wants its answer.
pub(crate) enum Begun<T> {
    UnderWay(Pin<Box<dyn Future<Output = Result<T, StorageError>>>>),
    Answered(Result<T, StorageError>),
}

impl<T> Begun<T> {
    pub(crate) fn new(call: impl Future<Output = Result<T, StorageError>> + 'static) -> Self {
        let mut call = Box::pin(call);
        // A storage begins when it is polled for the first time.
        match (&mut call).now_or_never() {
            Some(answer) => Self::Answered(answer),
            None => Self::UnderWay(call),
        }
    }

    pub(crate) async fn answer(self) -> Result<T, StorageError> {
        match self {
            Self::UnderWay(call) => call.await,
            Self::Answered(answer) => answer,
        }
    }
}

/// Some blocks on their way. One reader is served at a time: what another one asks for replaces it.
#[derive(Default)]
pub(crate) struct ReadAhead(RefCell<Option<Reading>>);

struct Reading {
    blocks: Vec<BlockId>,
    entries: Begun<Vec<Vec<Entry>>>,
}

impl ReadAhead {
    /// Asks for blocks, unless they are on their way already.
    pub(crate) fn begin<S: Storage>(&self, storage: &Rc<S>, blocks: Vec<BlockId>) {
        let mut under_way = self.0.borrow_mut();
        if under_way.as_ref().is_some_and(|reading| reading.blocks == blocks) {
            return;
        }
        let mut reads = Vec::new();
        reads_of(&blocks, &mut reads);
        reads.push(cuts_read());
        let storage = Rc::clone(storage);
        *under_way = Some(Reading {
            blocks,
            entries: Begun::new(async move { storage.read(reads).await }),
        });
    }

    /// What was read, and how often the log was cut then, if it is these blocks that are on their way. None, too, if that
    /// failed.
    pub(crate) async fn take(&self, blocks: &[BlockId]) -> Option<Vec<Vec<Entry>>> {
        let reading = self.0.borrow_mut().take_if(|reading| reading.blocks == blocks)?;
        reading.entries.answer().await.ok()
    }

    /// Nobody will want them.
    pub(crate) fn forget(&self) {
        self.0.borrow_mut().take();
    }
}

impl fmt::Debug for ReadAhead {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("ReadAhead")
    }
}
