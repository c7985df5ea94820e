//! Storage that fails when told to.
//!
//! Wraps any storage, counts its calls and lets one of them fail, before or after it took effect.
//! What an application promises must hold whichever call fails: try the first, the second and so on
//! until one run passes without a failure.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use super::{Closed, Entry, Read, Storage, StorageError, Write, Written};

/// Whether the failing call takes effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum When {
    /// Nothing is read or written: the database refused.
    Before,
    /// It is done, but the answer is lost: the tab was killed between the disk and the caller.
    After,
}

/// One failure to come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// The number of the call to fail, reads and writes counted together from 1.
    pub call: u64,
    /// Before or after it takes effect.
    pub when: When,
    /// What the caller gets. A write that is lost [`After`](When::After) it was applied can only be
    /// reported as [`StorageError::Closed`] by a real browser: any other error says that nothing was
    /// written.
    pub error: StorageError,
}

/// Sets and counts what happens to the [`Faulty`] storages that share it. Clones are the same one.
#[derive(Debug, Clone, Default)]
pub struct Faults(Rc<State>);

#[derive(Debug, Default)]
struct State {
    reads: Cell<u64>,
    writes: Cell<u64>,
    plan: RefCell<Option<Fault>>,
}

/// A storage whose calls fail as its [`Faults`] say.
#[derive(Debug)]
pub struct Faulty<S> {
    inner: S,
    faults: Faults,
}

impl Faults {
    /// Counts from 0, fails nothing.
    pub fn new() -> Self {
        Self::default()
    }

    /// Fails one call to come, once, in place of any failure planned before. A call that is already
    /// counted is past.
    pub fn plan(&self, fault: Fault) {
        *self.0.plan.borrow_mut() = Some(fault);
    }

    /// Fails the next call, before it takes effect.
    pub fn fail_next(&self, error: StorageError) {
        self.plan(Fault {
            call: self.calls() + 1,
            when: When::Before,
            error,
        });
    }

    /// Fails nothing any more.
    pub fn clear(&self) {
        *self.0.plan.borrow_mut() = None;
    }

    /// Whether a planned failure has yet to happen: after a run, that it was short enough to pass.
    pub fn is_waiting(&self) -> bool {
        self.0.plan.borrow().is_some()
    }

    /// How many reads were called, failed ones included.
    pub fn reads(&self) -> u64 {
        self.0.reads.get()
    }

    /// How many writes were called, failed ones included.
    pub fn writes(&self) -> u64 {
        self.0.writes.get()
    }

    /// How many calls there were in all.
    pub fn calls(&self) -> u64 {
        self.reads() + self.writes()
    }

    /// Counts one call and takes its failure, if it has one.
    fn count(&self, counter: &Cell<u64>) -> Option<Fault> {
        counter.set(counter.get() + 1);
        let calls = self.calls();
        self.0.plan.borrow_mut().take_if(|fault| fault.call == calls)
    }
}

impl<S> Faulty<S> {
    /// Wraps `inner`.
    pub fn new(inner: S, faults: Faults) -> Self {
        Self { inner, faults }
    }
}

impl<S: Storage> Storage for Faulty<S> {
    async fn read(&self, reads: Vec<Read>) -> Result<Vec<Vec<Entry>>, StorageError> {
        match self.faults.count(&self.faults.0.reads) {
            None => self.inner.read(reads).await,
            Some(fault) => Err(fault.error),
        }
    }

    async fn write(&self, write: Write) -> Result<Written, StorageError> {
        let Some(fault) = self.faults.count(&self.faults.0.writes) else {
            return self.inner.write(write).await;
        };
        if fault.when == When::After {
            self.inner.write(write).await?;
        }
        Err(fault.error)
    }

    fn close(&self) {
        self.inner.close();
    }

    fn closed(&self) -> Closed {
        self.inner.closed()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::{Change, Key, KeyRange, MemoryDatabase, MemoryStorage, Table};

    fn faulty() -> (Faulty<MemoryStorage>, Faults) {
        let faults = Faults::new();
        let storage = MemoryStorage::open(&MemoryDatabase::new());
        (Faulty::new(storage, faults.clone()), faults)
    }

    fn put() -> Write {
        Write {
            changes: vec![Change::Put(Table::Meta, Key::from(1), vec![1])],
            ..Write::default()
        }
    }

    fn count(storage: &impl Storage) -> Key {
        let count = vec![Read::Count(Table::Meta, KeyRange::ALL)];
        pollster::block_on(storage.read(count)).unwrap()[0][0].key.clone()
    }

    #[test]
    fn the_planned_call_fails_once_and_does_nothing() {
        let (storage, faults) = faulty();
        faults.plan(Fault {
            call: 2,
            when: When::Before,
            error: StorageError::QuotaExceeded,
        });

        assert_eq!(count(&storage), Key::from(0));
        assert!(faults.is_waiting());
        assert_eq!(
            pollster::block_on(storage.write(put())),
            Err(StorageError::QuotaExceeded)
        );
        assert!(!faults.is_waiting());

        assert_eq!(count(&storage), Key::from(0));
        assert_eq!(pollster::block_on(storage.write(put())), Ok(Written::Done));
        assert_eq!((faults.reads(), faults.writes(), faults.calls()), (2, 2, 4));
    }

    #[test]
    fn a_lost_answer_leaves_the_write_applied() {
        let (storage, faults) = faulty();
        let error = StorageError::Closed("the answer was lost".to_owned());
        faults.plan(Fault {
            call: 1,
            when: When::After,
            error: error.clone(),
        });

        assert_eq!(pollster::block_on(storage.write(put())), Err(error));

        assert_eq!(count(&storage), Key::from(1));
    }

    #[test]
    fn the_next_call_fails_wherever_the_count_stands() {
        let (storage, faults) = faulty();
        count(&storage);
        faults.fail_next(StorageError::QuotaExceeded);

        assert_eq!(
            pollster::block_on(storage.write(put())),
            Err(StorageError::QuotaExceeded)
        );
    }

    #[test]
    fn a_cleared_plan_fails_nothing() {
        let (storage, faults) = faulty();
        faults.fail_next(StorageError::QuotaExceeded);
        faults.clear();

        assert_eq!(pollster::block_on(storage.write(put())), Ok(Written::Done));
    }
}
