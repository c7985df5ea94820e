//! Storage in IndexedDB, in windows and workers.
//!
//! One connection a handle, one IndexedDB transaction a call. What the browser has to be asked, and what it says, is in
//! `database.js`, so that a call crosses into JavaScript once and not for every request. That file knows the browser's rules
//! (when a transaction commits by itself, what throws, what closes a connection behind our back) so that nothing above has to;
//! what the bytes mean is not known there.

mod crossing;
mod failure;

use std::rc::Rc;

use wasm_bindgen::prelude::{Closure, wasm_bindgen};
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::JsFuture;

use super::closing::Closing;
use super::{Closed, ClosedBy, Entry, Read, Storage, StorageError, Table, Write, Written};

/// The version of the object stores that this release makes, in `database.js`, and understands.
const VERSION: u32 = 1;

#[wasm_bindgen(module = "/src/store/idb/database.js")]
extern "C" {
    #[wasm_bindgen(catch, js_name = openDatabase)]
    async fn open_database(
        name: &str,
        version: u32,
        tables: &str,
        journal: &str,
        on_closed: &Closure<dyn FnMut(u32)>,
    ) -> Result<JsValue, JsValue>;

    #[wasm_bindgen(catch, js_name = deleteDatabase)]
    async fn delete_in_browser(name: &str) -> Result<(), JsValue>;
}

#[wasm_bindgen]
extern "C" {
    /// An open database.
    #[derive(Debug)]
    type Connection;

    #[wasm_bindgen(catch, method)]
    async fn read(this: &Connection, text: &str) -> Result<JsValue, JsValue>;

    #[wasm_bindgen(method)]
    fn write(this: &Connection, text: &str, bytes: &[u8]) -> WriteUnderWay;

    #[wasm_bindgen(method)]
    fn close(this: &Connection);

    #[wasm_bindgen(method)]
    fn release(this: &Connection);

    /// What is answered to a read.
    type Answers;

    #[wasm_bindgen(method, getter)]
    fn text(this: &Answers) -> String;

    #[wasm_bindgen(method)]
    fn value(this: &Answers, number: u32) -> Vec<u8>;

    /// A write under way.
    type WriteUnderWay;

    #[wasm_bindgen(method, getter)]
    fn outcome(this: &WriteUnderWay) -> js_sys::Promise;

    #[wasm_bindgen(method, js_name = drop)]
    fn give_up(this: &WriteUnderWay);
}

/// A connection to a database in IndexedDB. Dropping it closes it.
#[derive(Debug)]
pub struct IdbStorage {
    connection: Connection,
    closing: Rc<Closing>,
    // Called as long as it lives.
    _on_closed: Closure<dyn FnMut(u32)>,
}

impl IdbStorage {
    /// Opens the database of this name, made or migrated to the current version where needed.
    ///
    /// Fails with [`StorageError::Newer`] if a later release wrote it, and leaves it untouched;
    /// with [`StorageError::Blocked`] after 5 seconds if a tab that holds it open does not let go;
    /// with [`StorageError::Unavailable`] where there is no IndexedDB or it does not open.
    pub async fn open(name: &str) -> Result<Self, StorageError> {
        let closing = Rc::<Closing>::default();
        let told = Rc::clone(&closing);
        let on_closed = Closure::new(move |by| {
            told.close(match by {
                0 => ClosedBy::Upgrade,
                1 => ClosedBy::Deletion,
                _ => ClosedBy::Browser,
            });
        });
        let opened = open_database(name, VERSION, &crossing::tables(), Table::Journal.name(), &on_closed).await;
        Ok(Self {
            connection: opened.map_err(failure::meaning)?.unchecked_into(),
            closing,
            _on_closed: on_closed,
        })
    }

    /// Some browsers say only in the answer to a call that the connection is gone.
    fn failed(&self, rejected: JsValue) -> StorageError {
        let error = failure::meaning(rejected);
        if let StorageError::Closed(_) = &error {
            self.connection.close();
            self.closing.close(ClosedBy::Browser);
        }
        error
    }
}

/// A write that is not applied if nobody waits for it.
struct Waited {
    write: WriteUnderWay,
    is_over: bool,
}

impl Drop for Waited {
    fn drop(&mut self) {
        if !self.is_over {
            self.write.give_up();
        }
    }
}

/// Deletes the database of this name; there need not be one.
///
/// Connections of this library close at once. Fails with [`StorageError::Blocked`] after 5 seconds
/// if something else holds it open; the browser then deletes it when that lets go.
pub async fn delete_database(name: &str) -> Result<(), StorageError> {
    delete_in_browser(name).await.map_err(failure::meaning)
}

impl Storage for IdbStorage {
    async fn read(&self, reads: Vec<Read>) -> Result<Vec<Vec<Entry>>, StorageError> {
        self.closing.check()?;
        let Some(questions) = crossing::questions(&reads) else {
            return crossing::answers(&reads, "[]", |_| Vec::new());
        };
        let answered = self.connection.read(&questions).await;
        let answers: Answers = answered.map_err(|rejected| self.failed(rejected))?.unchecked_into();
        crossing::answers(&reads, &answers.text(), |number| answers.value(number))
    }

    async fn write(&self, write: Write) -> Result<Written, StorageError> {
        self.closing.check()?;
        if write.checks.is_empty() && write.changes.is_empty() {
            return Ok(Written::Done);
        }
        let (text, bytes) = crossing::write(&write);
        let mut waited = Waited {
            write: self.connection.write(&text, &bytes),
            is_over: false,
        };
        drop((write, text, bytes));
        let outcome = JsFuture::from(waited.write.outcome()).await;
        waited.is_over = true;
        let outcome = outcome.map_err(|rejected| self.failed(rejected))?;
        Ok(crossing::written(outcome.as_f64().unwrap_or_default()))
    }

    fn close(&self) {
        self.connection.close();
        self.closing.close(ClosedBy::Caller);
    }

    fn closed(&self) -> Closed {
        self.closing.closed()
    }
}

impl Drop for IdbStorage {
    fn drop(&mut self) {
        self.connection.release();
    }
}
