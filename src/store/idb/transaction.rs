//! One IndexedDB transaction under way.
//!
//! A transaction commits by itself as soon as no request is left, so everything is asked for before
//! anything is awaited, and what may abort it is decided inside the handler of the request that it
//! depends on: at that moment the transaction is active, whichever executor polls our futures.
//! Dropping it before its end aborts it.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::future::poll_fn;
use std::rc::Rc;
use std::task::{Poll, Waker};

use js_sys::{Array, Function, JsString, Object};
use wasm_bindgen::prelude::{Closure, wasm_bindgen};
use wasm_bindgen::{JsCast, JsValue};
use web_sys::{IdbObjectStore, IdbRequest, IdbRequestReadyState, IdbTransaction};

use super::connection::{Connection, Running};
use super::{error, key};
use crate::store::{Durability, StorageError, Table, Written};

/// What a transaction may do.
#[derive(Debug, Clone, Copy)]
pub(super) enum Access {
    Read,
    Write(Durability),
}

/// A transaction that asks, and then waits for its answers or for its end.
#[derive(Debug)]
pub(super) struct Transaction<'a> {
    connection: &'a Connection,
    state: Rc<State>,
    last: RefCell<Option<IdbRequest>>,
    on_success: Closure<dyn FnMut()>,
    // Attached to the transaction's events as long as it lives.
    _on_complete: Option<Closure<dyn FnMut()>>,
    _on_abort: Closure<dyn FnMut()>,
}

/// What must have come back from a request, or the whole transaction is undone.
#[derive(Debug)]
pub(super) enum Expectation {
    /// The value that a check of this index found.
    Value { index: usize, bytes: Option<Vec<u8>> },
    /// The number that the journal gave.
    Number(u64),
}

#[derive(Debug)]
struct State {
    transaction: IdbTransaction,
    /// In the order of the requests, which is the order of their answers.
    expectations: RefCell<VecDeque<(IdbRequest, Expectation)>>,
    outcome: RefCell<Option<Result<Written, StorageError>>>,
    waker: RefCell<Option<Waker>>,
}

#[wasm_bindgen]
extern "C" {
    /// web-sys has the options behind a flag of its own.
    type WithOptions;

    #[wasm_bindgen(catch, method)]
    fn transaction(
        this: &WithOptions,
        stores: &Array,
        mode: &JsString,
        options: &Object,
    ) -> Result<IdbTransaction, JsValue>;

    /// web-sys makes a new JavaScript string of the name each time.
    type WithNames;

    #[wasm_bindgen(catch, method, js_name = objectStore)]
    fn object_store(this: &WithNames, name: &JsString) -> Result<IdbObjectStore, JsValue>;

    /// web-sys lets what it throws through.
    type WithCommit;

    #[wasm_bindgen(catch, method)]
    fn commit(this: &WithCommit) -> Result<(), JsValue>;
}

impl<'a> Transaction<'a> {
    /// Begins a transaction over `tables`, which has 10 seconds to end: then it is undone and reported as
    /// [`StorageError::Blocked`]. Fails with [`StorageError::Closed`] if the connection is.
    pub(super) fn begin(connection: &'a Connection, tables: &[Table], access: Access) -> Result<Self, StorageError> {
        let words = &connection.words;
        let stores: Array = tables.iter().map(|table| words.store(*table)).collect();
        if matches!(access, Access::Write(_)) {
            stores.push(&words.turn);
        }
        let (mode, options) = match access {
            // A read has nothing to make durable, and the option no effect.
            Access::Read => (&words.readonly, &words.relaxed),
            Access::Write(Durability::Relaxed) => (&words.readwrite, &words.relaxed),
            Access::Write(Durability::Strict) => (&words.readwrite, &words.strict),
        };
        let transaction = connection
            .database
            .unchecked_ref::<WithOptions>()
            .transaction(&stores, mode, options)
            .map_err(|thrown| error::thrown(&thrown))?;
        Ok(Self::follow(connection, transaction, access))
    }

    fn follow(connection: &'a Connection, transaction: IdbTransaction, access: Access) -> Self {
        let state = Rc::new(State {
            transaction,
            expectations: RefCell::default(),
            outcome: RefCell::default(),
            waker: RefCell::default(),
        });
        let success = Rc::clone(&state);
        let on_success = Closure::new(move || success.answered());
        let abort = Rc::clone(&state);
        let on_abort = Closure::new(move || abort.end(Err(error::aborted(abort.transaction.error().as_ref()))));
        state.transaction.set_onabort(Some(function(&on_abort)));
        // A read is over with its last answer.
        let on_complete = matches!(access, Access::Write(_)).then(|| {
            let complete = Rc::clone(&state);
            let on_complete = Closure::new(move || complete.end(Ok(Written::Done)));
            state.transaction.set_oncomplete(Some(function(&on_complete)));
            on_complete
        });
        let weak = Rc::downgrade(&state);
        connection.overdue.watch(weak);
        Self {
            connection,
            state,
            last: RefCell::default(),
            on_success,
            _on_complete: on_complete,
            _on_abort: on_abort,
        }
    }

    /// Asks one question of a table.
    pub(super) fn ask(
        &self,
        table: Table,
        question: impl FnOnce(&IdbObjectStore) -> Result<IdbRequest, JsValue>,
    ) -> Result<IdbRequest, StorageError> {
        let name = self.connection.words.store(table);
        let store = self.state.transaction.unchecked_ref::<WithNames>().object_store(&name);
        let request = store
            .and_then(|store| question(&store))
            .map_err(|thrown| error::thrown(&thrown))?;
        *self.last.borrow_mut() = Some(request.clone());
        Ok(request)
    }

    /// Asks the next question of a request that has answered, as a cursor does.
    pub(super) fn ask_again(
        &self,
        request: &IdbRequest,
        question: impl FnOnce() -> Result<(), JsValue>,
    ) -> Result<(), StorageError> {
        question().map_err(|thrown| error::thrown(&thrown))?;
        *self.last.borrow_mut() = Some(request.clone());
        Ok(())
    }

    /// Undoes the transaction unless `request`, asked just now, is answered like this.
    pub(super) fn expect(&self, request: IdbRequest, expectation: Expectation) {
        request.set_onsuccess(Some(function(&self.on_success)));
        self.state.expectations.borrow_mut().push_back((request, expectation));
    }

    /// Lets the browser commit at once if no answer can undo the transaction any more.
    pub(super) fn commit_if_certain(&self) -> Result<(), StorageError> {
        if self.state.expectations.borrow().is_empty() {
            let transaction = self.state.transaction.unchecked_ref::<WithCommit>();
            transaction.commit().map_err(|thrown| error::thrown(&thrown))?;
        }
        Ok(())
    }

    /// Waits until everything that was asked is answered: answers come in the order of the questions.
    pub(super) async fn answers(&self) -> Result<(), StorageError> {
        let Some(last) = self.last.borrow_mut().take() else {
            return Ok(());
        };
        last.set_onsuccess(Some(function(&self.on_success)));
        poll_fn(|context| match self.state.outcome.borrow().clone() {
            Some(Err(error)) => Poll::Ready(Err(error)),
            _ if last.ready_state() == IdbRequestReadyState::Done => Poll::Ready(Ok(())),
            _ => {
                self.state.waker.replace(Some(context.waker().clone()));
                Poll::Pending
            }
        })
        .await
    }

    /// Nothing more will be asked of a read: it ends by itself. To abort it would cost as much as reading a block.
    pub(super) fn is_answered(&self) {
        self.state.end(Ok(Written::Done));
    }

    /// Waits for the end. [`Written::Done`] means that the browser has committed it.
    pub(super) async fn end(self) -> Result<Written, StorageError> {
        poll_fn(|context| {
            let outcome = self.state.outcome.borrow().clone();
            if outcome.is_none() {
                self.state.waker.replace(Some(context.waker().clone()));
            }
            outcome.map_or(Poll::Pending, Poll::Ready)
        })
        .await
    }
}

impl State {
    fn answered(&self) {
        let Some((request, expectation)) = self.expectations.borrow_mut().pop_front() else {
            return self.wake();
        };
        match expectation.holds(&request) {
            Ok(true) => {}
            Ok(false) => self.abort(Ok(expectation.broken())),
            Err(error) => self.abort(Err(error)),
        }
    }

    /// Undoes everything, with `outcome`, unless it is too late for that.
    fn abort(&self, outcome: Result<Written, StorageError>) {
        if self.transaction.abort().is_ok() {
            self.end(outcome);
        }
    }

    /// The first outcome stays.
    fn end(&self, outcome: Result<Written, StorageError>) {
        self.outcome.borrow_mut().get_or_insert(outcome);
        self.wake();
    }

    fn wake(&self) {
        if let Some(waker) = self.waker.take() {
            waker.wake();
        }
    }
}

impl Running for State {
    fn is_over(&self) -> bool {
        self.outcome.borrow().is_some()
    }

    fn give_up(&self) {
        // If it is too late to abort, it is being committed, and how that ends will be told.
        self.abort(Err(StorageError::Blocked(
            "a transaction did not finish in 10 seconds".to_owned(),
        )));
    }
}

impl Expectation {
    pub(super) fn holds(&self, request: &IdbRequest) -> Result<bool, StorageError> {
        let result = request.result().map_err(|thrown| error::thrown(&thrown))?;
        match self {
            Self::Value { bytes: None, .. } => Ok(result.is_undefined()),
            Self::Value { bytes: Some(bytes), .. } => {
                Ok(!result.is_undefined() && key::bytes_from_js(&result)? == *bytes)
            }
            Self::Number(number) => Ok(key::from_js(&result)? == (*number).into()),
        }
    }

    fn broken(&self) -> Written {
        match self {
            Self::Value { index, .. } => Written::CheckFailed { index: *index },
            Self::Number(_) => Written::Raced,
        }
    }
}

impl Drop for Transaction<'_> {
    fn drop(&mut self) {
        let transaction = &self.state.transaction;
        transaction.set_onabort(None);
        transaction.set_oncomplete(None);
        if self.state.outcome.borrow().is_none() {
            // A finished one throws, and is none the worse for it.
            let _ = transaction.abort();
        }
    }
}

fn function<T: ?Sized>(closure: &Closure<T>) -> &Function {
    closure.as_ref().unchecked_ref()
}
