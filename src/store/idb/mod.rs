//! Storage in IndexedDB, in windows and workers.
//!
//! One connection a handle, one IndexedDB transaction a call. This folder knows the browser's rules
//! (when a transaction commits by itself, what throws, what closes a connection behind our back) so
//! that nothing above has to; what the bytes mean is not known here.
//!
//! It is made of web-sys calls, not of a library's futures. Those that we tried drop the reason of an
//! abort, so a full disk could not be told from any other failure; a record that lost a race must be
//! aborted inside its own request's handler, not by a future that an executor polls later; and to
//! open and delete alone they were 10 KB.

mod connection;
mod error;
mod factory;
mod fresh_log;
mod key;
mod read;
mod schema;
mod transaction;
mod write;

use std::cell::Cell;
use std::pin::pin;
use std::rc::Rc;

use futures_util::future::{Either, select};
use gloo_timers::future::TimeoutFuture;
use wasm_bindgen::JsCast;
use wasm_bindgen::prelude::Closure;
use wasm_bindgen_futures::spawn_local;
use web_sys::{IdbDatabase, IdbVersionChangeEvent};

use self::connection::Connection;
use super::{Closed, ClosedBy, Entry, Read, Storage, StorageError, Write, Written};

/// How long a tab that was asked to let go of the database may take, in milliseconds.
const BLOCKED_AFTER: u32 = 5_000;

/// How much longer the browser may take when no tab is in the way. Some browsers never answer.
const SILENT_AFTER: u32 = 15_000;

/// A connection to a database in IndexedDB. Dropping it closes it.
#[derive(Debug)]
pub struct IdbStorage {
    connection: Rc<Connection>,
    // Attached to the connection's events as long as it lives.
    _on_version_change: Closure<dyn FnMut(IdbVersionChangeEvent)>,
    _on_close: Closure<dyn FnMut()>,
}

impl IdbStorage {
    /// Opens the database of this name, made or migrated to the current version where needed.
    ///
    /// Fails with [`StorageError::Newer`] if a later release wrote it, and leaves it untouched;
    /// with [`StorageError::Blocked`] after 5 seconds if a tab that holds it open does not let go;
    /// with [`StorageError::Unavailable`] where there is no IndexedDB or it does not open.
    pub async fn open(name: &str) -> Result<Self, StorageError> {
        let blocked = Rc::new(Cell::new(false));
        let on_blocked = Rc::clone(&blocked);
        let opening = factory::open(name, move || on_blocked.set(true))?;

        let timer = pin!(async {
            TimeoutFuture::new(BLOCKED_AFTER).await;
            if !blocked.get() {
                TimeoutFuture::new(SILENT_AFTER).await;
            }
        });
        let database = match select(opening, timer).await {
            Either::Left((Ok(database), _)) => database.unchecked_into::<IdbDatabase>(),
            Either::Left((Err(Some(error)), _)) if error.name() == "VersionError" => return Err(newer(name).await),
            Either::Left((Err(error), _)) => return Err(error::opening(error)),
            Either::Right(((), opening)) => {
                // It may open after all, and a connection that nobody holds would block every other.
                spawn_local(async {
                    if let Ok(late) = opening.await {
                        late.unchecked_into::<IdbDatabase>().close();
                    }
                });
                return Err(StorageError::Blocked(
                    if blocked.get() {
                        "another tab holds an older version of the database open"
                    } else {
                        "the browser does not open the database"
                    }
                    .to_owned(),
                ));
            }
        };
        let storage = Self::over(database);
        schema::verify(&storage.connection.database)?;
        let fresh_log = Rc::clone(&storage.connection.fresh_log);
        spawn_local(async move { fresh_log.begin_soon().await });
        Ok(storage)
    }

    fn over(database: IdbDatabase) -> Self {
        let connection = Rc::new(Connection::new(database));
        // Both hold the connection weakly: it owns the object that owns them.
        let weak = Rc::downgrade(&connection);
        let on_version_change = Closure::new(move |event: IdbVersionChangeEvent| {
            if let Some(connection) = weak.upgrade() {
                connection.close(match event.new_version() {
                    Some(_) => ClosedBy::Upgrade,
                    None => ClosedBy::Deletion,
                });
            }
        });
        let weak = Rc::downgrade(&connection);
        let on_close = Closure::new(move || {
            if let Some(connection) = weak.upgrade() {
                connection.close(ClosedBy::Browser);
            }
        });
        connection
            .database
            .set_onversionchange(Some(on_version_change.as_ref().unchecked_ref()));
        connection.database.set_onclose(Some(on_close.as_ref().unchecked_ref()));
        Self {
            connection,
            _on_version_change: on_version_change,
            _on_close: on_close,
        }
    }
}

/// Deletes the database of this name; there need not be one.
///
/// Connections of this library close at once. Fails with [`StorageError::Blocked`] after 5 seconds
/// if something else holds it open; the browser then deletes it when that lets go.
pub async fn delete_database(name: &str) -> Result<(), StorageError> {
    match select(factory::delete(name)?, TimeoutFuture::new(BLOCKED_AFTER)).await {
        Either::Left((deleted, _)) => deleted.map(drop).map_err(error::opening),
        Either::Right(_) => Err(StorageError::Blocked(
            "another tab holds the database open, so it is deleted later".to_owned(),
        )),
    }
}

/// Looks which version is there, without a change.
async fn newer(name: &str) -> StorageError {
    match look(name).await {
        Ok(found) => StorageError::Newer {
            found,
            known: u64::from(schema::VERSION),
        },
        Err(error) => error,
    }
}

async fn look(name: &str) -> Result<u64, StorageError> {
    let database = factory::open_as_it_is(name)?.await.map_err(error::opening)?;
    let database: IdbDatabase = database.unchecked_into();
    database.close();
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a version is a whole number from 1 to 2^53"
    )]
    Ok(database.version() as u64)
}

impl Storage for IdbStorage {
    async fn read(&self, reads: Vec<Read>) -> Result<Vec<Vec<Entry>>, StorageError> {
        self.connection.closing.check()?;
        self.connection.noticing(read::read(&self.connection, &reads).await)
    }

    async fn write(&self, write: Write) -> Result<Written, StorageError> {
        let connection = &self.connection;
        connection.closing.check()?;
        let _held_open = connection.hold_open();
        connection.fresh_log.begin().await;
        connection.noticing(write::write(connection, &write).await)
    }

    fn close(&self) {
        self.connection.close(ClosedBy::Caller);
    }

    fn closed(&self) -> Closed {
        self.connection.closing.closed()
    }
}

impl Drop for IdbStorage {
    fn drop(&mut self) {
        self.connection.database.set_onversionchange(None);
        self.connection.database.set_onclose(None);
        self.connection.database.close();
    }
}
