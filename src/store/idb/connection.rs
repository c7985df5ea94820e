//! One open connection: the database, whether it is still open, and what all its transactions share.
//!
//! Sharing is for speed: an append is some 500 µs of the browser's work, of which words passed as
//! strings and one timer for each transaction were 25 µs.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::rc::{Rc, Weak};

use gloo_timers::callback::Timeout;
use js_sys::{JsString, Object, Reflect};
use wasm_bindgen::JsValue;
use wasm_bindgen::prelude::wasm_bindgen;
use web_sys::IdbDatabase;

use super::fresh_log::FreshLog;
use super::schema::TURN;
use crate::store::closing::Closing;
use crate::store::{ClosedBy, StorageError, Table};

/// What calls under way and event handlers share.
#[derive(Debug)]
pub(super) struct Connection {
    pub(super) database: IdbDatabase,
    pub(super) closing: Closing,
    pub(super) words: Words,
    pub(super) fresh_log: Rc<FreshLog>,
    /// Writes under way, of which the first ones may have no transaction yet.
    writing: Cell<usize>,
    pub(super) overdue: Rc<Overdue>,
}

/// Values that transactions pass to JavaScript again and again.
#[derive(Debug)]
pub(super) struct Words {
    stores: [JsString; Table::ALL.len()],
    pub(super) turn: JsString,
    pub(super) readonly: JsString,
    pub(super) readwrite: JsString,
    pub(super) strict: Object,
    pub(super) relaxed: Object,
}

/// Something that is given up when it takes too long.
pub(super) trait Running {
    /// Whether it has ended.
    fn is_over(&self) -> bool;

    /// Ends it, if it can still be ended.
    fn give_up(&self);
}

/// One clock for everything under way: set for the oldest only, and not at all when there is nothing.
#[derive(Debug, Default)]
pub(super) struct Overdue {
    running: RefCell<VecDeque<Entry>>,
    timer: RefCell<Option<Timeout>>,
}

struct Entry {
    since: f64,
    what: Weak<dyn Running>,
}

/// How long a transaction may take, in milliseconds.
const GIVE_UP_AFTER: u32 = 10_000;

#[wasm_bindgen]
extern "C" {
    /// Does not jump when the clock of the machine is set, and is there in windows and workers.
    #[wasm_bindgen(js_namespace = performance)]
    fn now() -> f64;
}

impl Connection {
    pub(super) fn new(database: IdbDatabase) -> Self {
        Self {
            database,
            closing: Closing::default(),
            words: Words::new(),
            fresh_log: Rc::default(),
            writing: Cell::default(),
            overdue: Rc::default(),
        }
    }

    /// Calls under way go on; others fail.
    pub(super) fn close(&self, by: ClosedBy) {
        self.closing.close(by);
        self.let_go();
    }

    /// Counts a write from before it has a transaction, until what this gives is dropped.
    pub(super) fn hold_open(&self) -> HeldOpen<'_> {
        self.writing.set(self.writing.get() + 1);
        HeldOpen(self)
    }

    /// The browser waits for transactions under way, but begins none after this.
    fn let_go(&self) {
        if self.closing.check().is_err() && self.writing.get() == 0 {
            self.database.close();
        }
    }

    /// Some browsers say only in the answer to a call that the connection is gone.
    pub(super) fn noticing<T>(&self, result: Result<T, StorageError>) -> Result<T, StorageError> {
        if let Err(StorageError::Closed(_)) = &result {
            self.close(ClosedBy::Browser);
        }
        result
    }
}

/// The database stays open for a write that was begun before the connection was closed.
#[derive(Debug)]
pub(super) struct HeldOpen<'a>(&'a Connection);

impl Drop for HeldOpen<'_> {
    fn drop(&mut self) {
        self.0.writing.set(self.0.writing.get() - 1);
        self.0.let_go();
    }
}

impl Words {
    fn new() -> Self {
        let durability = |word: &str| {
            let options = Object::new();
            // Only a frozen or exotic object refuses a property.
            let _ = Reflect::set(&options, &JsValue::from("durability"), &JsValue::from(word));
            options
        };
        Self {
            stores: Table::ALL.map(|table| JsString::from(table.name())),
            turn: TURN.into(),
            readonly: "readonly".into(),
            readwrite: "readwrite".into(),
            strict: durability("strict"),
            relaxed: durability("relaxed"),
        }
    }

    /// The name of the object store.
    pub(super) fn store(&self, table: Table) -> JsString {
        self.stores
            .get(table as usize)
            .map_or_else(|| JsString::from(table.name()), Clone::clone)
    }
}

impl Overdue {
    /// Gives `what` up in 10 seconds, unless it is over by then.
    pub(super) fn watch(self: &Rc<Self>, what: Weak<dyn Running>) {
        self.forget_the_finished();
        self.running.borrow_mut().push_back(Entry { since: now(), what });
        if self.timer.borrow().is_none() {
            self.set_timer(GIVE_UP_AFTER);
        }
    }

    fn set_timer(self: &Rc<Self>, milliseconds: u32) {
        let overdue = Rc::downgrade(self);
        let timer = Timeout::new(milliseconds, move || {
            if let Some(overdue) = overdue.upgrade() {
                overdue.time_is_up();
            }
        });
        self.timer.replace(Some(timer));
    }

    fn time_is_up(self: &Rc<Self>) {
        self.timer.take();
        let limit = f64::from(GIVE_UP_AFTER);
        while let Some(entry) = self.take_late(now() - limit) {
            if let Some(running) = entry.what.upgrade() {
                running.give_up();
            }
        }
        self.forget_the_finished();
        let oldest = self.running.borrow().front().map(|entry| entry.since);
        if let Some(since) = oldest {
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "a cast of a float stays within the bounds of the integer"
            )]
            self.set_timer((since + limit - now()).ceil() as u32);
        }
    }

    /// Takes the oldest, if it is not younger than `since`.
    fn take_late(&self, since: f64) -> Option<Entry> {
        let mut running = self.running.borrow_mut();
        if running.front()?.since <= since {
            running.pop_front()
        } else {
            None
        }
    }

    /// Transactions end in about the order in which they began.
    fn forget_the_finished(&self) {
        let mut running = self.running.borrow_mut();
        while running.front().is_some_and(Entry::is_over) {
            running.pop_front();
        }
    }
}

impl Entry {
    fn is_over(&self) -> bool {
        self.what.upgrade().is_none_or(|running| running.is_over())
    }
}

impl std::fmt::Debug for Entry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Entry")
            .field("since", &self.since)
            .finish_non_exhaustive()
    }
}
