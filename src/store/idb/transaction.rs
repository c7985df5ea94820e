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

use gloo_timers::callback::Timeout;
use js_sys::{Array, Function, Object, Reflect};
use wasm_bindgen::prelude::{Closure, wasm_bindgen};
use wasm_bindgen::{JsCast, JsValue};
use web_sys::{IdbDatabase, IdbObjectStore, IdbRequest, IdbRequestReadyState, IdbTransaction};

use super::{error, key};
use crate::store::{Durability, StorageError, Table, Written};

/// A transaction that has not finished after this many milliseconds is aborted.
const GIVE_UP_AFTER: u32 = 10_000;

/// What a transaction may do.
#[derive(Debug, Clone, Copy)]
pub(super) enum Access {
    Read,
    Write(Durability),
}

/// A transaction that asks, and then waits for its answers or for its end.
#[derive(Debug)]
pub(super) struct Transaction {
    state: Rc<State>,
    last: RefCell<Option<IdbRequest>>,
    on_success: Closure<dyn FnMut()>,
    // Attached to the transaction's events and to the clock as long as it lives.
    _on_complete: Option<Closure<dyn FnMut()>>,
    _on_abort: Closure<dyn FnMut()>,
    _timeout: Timeout,
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
    /// web-sys has the third argument behind a flag of its own.
    #[wasm_bindgen(extends = IdbDatabase)]
    type Connection;

    #[wasm_bindgen(catch, method, js_name = transaction)]
    fn begin(this: &Connection, stores: &Array, mode: &str, options: &Object) -> Result<IdbTransaction, JsValue>;
}

impl Transaction {
    /// Begins a transaction over `tables`. Fails with [`StorageError::Closed`] if the connection is.
    pub(super) fn begin(
        database: &IdbDatabase,
        tables: impl IntoIterator<Item = Table>,
        access: Access,
    ) -> Result<Self, StorageError> {
        let stores: Array = tables
            .into_iter()
            .map(|table| JsValue::from_str(table.name()))
            .collect();
        let options = Object::new();
        let mode = match access {
            Access::Read => "readonly",
            Access::Write(durability) => {
                let durability = match durability {
                    Durability::Strict => "strict",
                    Durability::Relaxed => "relaxed",
                };
                Reflect::set(&options, &"durability".into(), &durability.into())
                    .map_err(|thrown| error::thrown(&thrown))?;
                "readwrite"
            }
        };
        let transaction = database
            .unchecked_ref::<Connection>()
            .begin(&stores, mode, &options)
            .map_err(|thrown| error::thrown(&thrown))?;
        Ok(Self::follow(transaction, access))
    }

    fn follow(transaction: IdbTransaction, access: Access) -> Self {
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
        let late = Rc::clone(&state);
        let timeout = Timeout::new(GIVE_UP_AFTER, move || {
            // If it is too late to abort, it is being committed, and how that ends will be told.
            late.abort(Err(StorageError::Blocked(
                "a transaction did not finish in 10 seconds".to_owned(),
            )));
        });
        Self {
            state,
            last: RefCell::default(),
            on_success,
            _on_complete: on_complete,
            _on_abort: on_abort,
            _timeout: timeout,
        }
    }

    /// Asks one question of a table.
    pub(super) fn ask(
        &self,
        table: Table,
        question: impl FnOnce(&IdbObjectStore) -> Result<IdbRequest, JsValue>,
    ) -> Result<IdbRequest, StorageError> {
        let store = self.state.transaction.object_store(table.name());
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

impl Expectation {
    fn holds(&self, request: &IdbRequest) -> Result<bool, StorageError> {
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

impl Drop for Transaction {
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
