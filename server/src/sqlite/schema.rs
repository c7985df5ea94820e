//! The tables, and how a connection is set up.
//!
//! A commit's key is its space and its number in one integer, so that a log lies in the file in its order. The text is
//! the last column: what is read without it does not read it.

use std::path::Path;

use rusqlite::{Connection, OpenFlags};

use super::OpenError;

/// Written into each file, so that another program's database is not taken for one.
const APPLICATION: i64 = 0x0EF0_1D01;
const VERSION: i64 = 1;

const TABLES: &str = "
CREATE TABLE space (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    epoch BLOB NOT NULL,
    number INTEGER NOT NULL,
    hash BLOB NOT NULL,
    claimed_by TEXT,
    claimed_at INTEGER
) STRICT;
CREATE TABLE past_epoch (
    space INTEGER NOT NULL,
    place INTEGER NOT NULL,
    epoch BLOB NOT NULL,
    number INTEGER NOT NULL,
    hash BLOB NOT NULL,
    PRIMARY KEY (space, place)
) STRICT, WITHOUT ROWID;
CREATE TABLE log (
    key INTEGER PRIMARY KEY,
    space INTEGER NOT NULL,
    id TEXT NOT NULL,
    attempt INTEGER NOT NULL,
    digest BLOB NOT NULL,
    hash BLOB NOT NULL,
    text TEXT NOT NULL,
    UNIQUE (space, id)
) STRICT;
CREATE TABLE stream (
    space INTEGER NOT NULL,
    id TEXT NOT NULL,
    version INTEGER NOT NULL,
    key INTEGER NOT NULL,
    PRIMARY KEY (space, id, version)
) STRICT, WITHOUT ROWID;
";

/// A connection that writes; makes the file and its tables if they are not there.
pub(super) fn open_writer(file: &Path) -> Result<Connection, OpenError> {
    let connection = Connection::open(file)?;
    prepare(&connection)?;
    if is_new(&connection)? {
        connection.pragma_update(None, "journal_mode", "wal")?;
        connection.execute_batch(&format!(
            "BEGIN IMMEDIATE; {TABLES} PRAGMA application_id = {APPLICATION}; PRAGMA user_version = {VERSION}; COMMIT;"
        ))?;
    }
    check(&connection)?;
    connection.pragma_update(None, "journal_mode", "wal")?;
    // A commit is on disk when it is answered, power cut or not.
    connection.pragma_update(None, "synchronous", "full")?;
    connection.pragma_update(None, "wal_autocheckpoint", 4_000)?;
    connection.pragma_update(None, "cache_size", -64_000)?;
    Ok(connection)
}

/// A connection that reads a file that is there.
pub(super) fn open_reader(file: &Path) -> Result<Connection, OpenError> {
    let connection = Connection::open_with_flags(file, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    prepare(&connection)?;
    check(&connection)?;
    connection.pragma_update(None, "cache_size", -8_000)?;
    Ok(connection)
}

fn prepare(connection: &Connection) -> rusqlite::Result<()> {
    connection.busy_timeout(std::time::Duration::from_secs(10))?;
    connection.set_prepared_statement_cache_capacity(32);
    Ok(())
}

fn is_new(connection: &Connection) -> rusqlite::Result<bool> {
    let tables = connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get::<_, i64>(0))?;
    Ok(tables == 0 && number(connection, "application_id")? == 0)
}

fn check(connection: &Connection) -> Result<(), OpenError> {
    if number(connection, "application_id")? != APPLICATION {
        return Err(OpenError::Foreign);
    }
    match number(connection, "user_version")? {
        VERSION => Ok(()),
        found => Err(OpenError::Version { found, known: VERSION }),
    }
}

fn number(connection: &Connection, pragma: &str) -> rusqlite::Result<i64> {
    connection.pragma_query_value(None, pragma, |row| row.get(0))
}
