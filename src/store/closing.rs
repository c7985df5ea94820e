//! Hearing that a storage handle was closed, and by whom.
//!
//! A browser may take a connection away at any moment: another tab upgrades or deletes the database,
//! or the storage process dies. Whoever holds the handle has to hear of it without asking, so
//! [`Storage::closed`](super::Storage::closed) gives a future that waits. What to do then, reopen or
//! tell the user, is decided above.

use std::cell::{Cell, RefCell};
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use super::StorageError;

/// Who closed a handle.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ClosedBy {
    /// Whoever held it, by [`Storage::close`](super::Storage::close).
    Caller,
    /// Another tab, to upgrade the database to a newer version. Opening again gives
    /// [`StorageError::Newer`].
    Upgrade,
    /// Another tab, to delete the database. Opening again makes an empty one.
    Deletion,
    /// The browser: its storage process died, or the user cleared the site's data. Opening again may
    /// succeed, and then everything that was reported as written is there or all of it is gone.
    Browser,
}

impl fmt::Display for ClosedBy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Caller => "this handle was closed",
            Self::Upgrade => "a newer version of the app upgrades the database",
            Self::Deletion => "the database is being deleted",
            Self::Browser => "the browser closed the connection",
        })
    }
}

impl From<ClosedBy> for StorageError {
    fn from(by: ClosedBy) -> Self {
        Self::Closed(by.to_string())
    }
}

/// Resolves when a handle is closed, with who did it. Keeps nothing of the storage alive, and waits
/// for ever if the handle is dropped without having been closed.
#[derive(Debug, Clone)]
#[must_use = "futures do nothing unless polled"]
pub struct Closed(Rc<State>);

/// The handle's side: closes once, the first reason stays.
#[derive(Debug, Default)]
pub(crate) struct Closing(Rc<State>);

#[derive(Debug, Default)]
struct State {
    by: Cell<Option<ClosedBy>>,
    waiting: RefCell<Vec<Waker>>,
}

impl Closing {
    pub(crate) fn close(&self, by: ClosedBy) {
        if self.0.by.get().is_none() {
            self.0.by.set(Some(by));
            let waiting = std::mem::take(&mut *self.0.waiting.borrow_mut());
            waiting.into_iter().for_each(Waker::wake);
        }
    }

    /// Fails with [`StorageError::Closed`] once it is closed.
    pub(crate) fn check(&self) -> Result<(), StorageError> {
        self.0.by.get().map_or(Ok(()), |by| Err(by.into()))
    }

    pub(crate) fn closed(&self) -> Closed {
        Closed(Rc::clone(&self.0))
    }
}

impl Future for Closed {
    type Output = ClosedBy;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<ClosedBy> {
        if let Some(by) = self.0.by.get() {
            return Poll::Ready(by);
        }
        let mut waiting = self.0.waiting.borrow_mut();
        if !waiting.iter().any(|waker| waker.will_wake(context.waker())) {
            waiting.push(context.waker().clone());
        }
        Poll::Pending
    }
}
