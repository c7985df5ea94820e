//! The storage of a tab: memory that fails, is slow, and at which a tab may die or freeze.

use std::cell::{Cell, RefCell};
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use everfold::store::{
    Closed, Entry, Fault as StorageFault, Faults, Faulty, Key, MemoryDatabase, MemoryStorage, Read, Storage,
    StorageError, When, Write, Written,
};

use crate::faults::{Fault, Tally};
use crate::random::Random;
use crate::weather::Weather;

/// One tab's way to the database of its device.
#[derive(Debug)]
pub(crate) struct Gate {
    storage: Faulty<MemoryStorage>,
    control: Rc<Control>,
}

/// What the simulation knows of a tab's storage calls.
#[derive(Debug)]
pub(crate) struct Control {
    faults: Faults,
    random: RefCell<Random>,
    weather: Rc<Weather>,
    tally: Tally,
    /// Only a leader freezes: that of the others nobody takes anything.
    pub(crate) leads: Cell<bool>,
    /// The call that was just begun goes on after so many milliseconds.
    pub(crate) slow: Cell<Option<i64>>,
    /// The tab froze at the call that was just begun.
    pub(crate) froze: Cell<bool>,
    /// It has written what only a leader writes.
    pub(crate) wrote_as_leader: Cell<bool>,
    /// The tab died at a call.
    pub(crate) died: Cell<bool>,
}

impl Gate {
    pub(crate) fn open(
        database: &MemoryDatabase,
        seed: u64,
        weather: &Rc<Weather>,
        tally: &Tally,
    ) -> (Self, Rc<Control>) {
        let faults = Faults::new();
        let control = Rc::new(Control {
            faults: faults.clone(),
            random: RefCell::new(Random::new(seed)),
            weather: Rc::clone(weather),
            tally: tally.clone(),
            leads: Cell::new(false),
            slow: Cell::new(None),
            froze: Cell::new(false),
            wrote_as_leader: Cell::new(false),
            died: Cell::new(false),
        });
        let gate = Self {
            storage: Faulty::new(MemoryStorage::open(database), faults),
            control: Rc::clone(&control),
        };
        (gate, control)
    }
}

impl Control {
    /// Before a call: it may wait. Then it may be made to fail.
    async fn pass(&self, writes: bool) {
        let (waits, freezes) = {
            let mut random = self.random.borrow_mut();
            let freezes = self.leads.get() && self.strikes(&mut random, Fault::LeaderFrozen, 0.0015);
            (freezes || (!self.weather.is_calm() && random.chance(0.02)), freezes)
        };
        if freezes {
            self.froze.set(true);
        }
        if waits {
            let slow = self.random.borrow_mut().between(1, 30) as i64;
            self.slow.set(Some(slow));
            OneBreath::default().await;
        }
        let mut random = self.random.borrow_mut();
        let gone = [(Fault::TabCrashed, 0.0008), (Fault::ConnectionLost, 0.0006)];
        let gone = gone
            .into_iter()
            .any(|(fault, probability)| self.strikes(&mut random, fault, probability));
        let (when, error) = if gone {
            self.died.set(true);
            let when = if writes && random.chance(0.5) {
                When::After
            } else {
                When::Before
            };
            (when, StorageError::Closed("the tab is gone".to_owned()))
        } else if writes && self.strikes(&mut random, Fault::Quota, 0.002) {
            (When::Before, StorageError::QuotaExceeded)
        } else if self.strikes(&mut random, Fault::Aborted, 0.001) {
            (When::Before, StorageError::Aborted("for no reason".to_owned()))
        } else {
            return;
        };
        self.faults.plan(StorageFault {
            call: self.faults.calls() + 1,
            when,
            error,
        });
    }

    /// An app takes its time to decide: other tabs, and other commands of this one, go on.
    pub(crate) async fn think(&self) {
        let thinks = !self.weather.is_calm() && self.random.borrow_mut().chance(0.1);
        if thinks {
            let slow = self.random.borrow_mut().between(1, 1_500) as i64;
            self.slow.set(Some(slow));
            OneBreath::default().await;
        }
    }

    fn strikes(&self, random: &mut Random, fault: Fault, probability: f64) -> bool {
        let strikes = self.weather.allows(fault) && random.chance(probability * self.weather.strength());
        if strikes {
            self.tally.struck(fault);
        }
        strikes
    }
}

impl Storage for Gate {
    async fn read(&self, reads: Vec<Read>) -> Result<Vec<Vec<Entry>>, StorageError> {
        self.control.pass(false).await;
        self.storage.read(reads).await
    }

    async fn write(&self, write: Write) -> Result<Written, StorageError> {
        self.control.pass(true).await;
        let leads = write.checks.iter().any(|check| check.key == Key::from("sync"));
        let written = self.storage.write(write).await;
        if leads && written == Ok(Written::Done) {
            self.control.wrote_as_leader.set(true);
        }
        written
    }

    fn close(&self) {
        self.storage.close();
    }

    fn closed(&self) -> Closed {
        self.storage.closed()
    }
}

/// Waits until it is asked a second time.
#[derive(Default)]
struct OneBreath {
    taken: bool,
}

impl Future for OneBreath {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<()> {
        if std::mem::replace(&mut self.taken, true) {
            Poll::Ready(())
        } else {
            Poll::Pending
        }
    }
}
