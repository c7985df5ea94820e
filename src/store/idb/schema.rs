//! The object stores, and the way from each older version of them to the current one.
//!
//! A change of shape adds a step here and only ever adds stores, so that a tab with the version
//! before keeps working until it is reloaded. Steps are never edited: databases that took them exist.

use indexed_db_futures::database::{Database, VersionChangeEvent};
use indexed_db_futures::prelude::Build;

use crate::store::{StorageError, Table};

/// The version that this release makes and understands.
pub(super) const VERSION: u32 = 1;

/// Takes every step from the version that is there to [`VERSION`], in the upgrade's transaction: an
/// error takes none of them.
pub(super) fn migrate(event: &VersionChangeEvent, database: &Database) -> indexed_db_futures::Result<()> {
    if event.old_version() < 1.0 {
        for table in Table::ALL {
            database
                .create_object_store(table.name())
                .with_auto_increment(table == Table::Journal)
                .build()?;
        }
    }
    Ok(())
}

/// Refuses a database of the same name that something else has made.
pub(super) fn verify(database: &Database) -> Result<(), StorageError> {
    let found: Vec<String> = database.object_store_names().collect();
    match Table::ALL
        .iter()
        .find(|table| !found.iter().any(|name| name == table.name()))
    {
        None => Ok(()),
        Some(table) => Err(StorageError::Unavailable(format!(
            "a database of this name exists and is not a store, as it has no {}",
            table.name()
        ))),
    }
}
