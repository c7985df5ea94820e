//! The object stores, and the way from each older version of them to the current one.
//!
//! A change of shape adds a step here and only ever adds stores, so that a tab with the version
//! before keeps working until it is reloaded. Steps are never edited: databases that took them exist.

use wasm_bindgen::JsValue;
use web_sys::{IdbDatabase, IdbObjectStoreParameters};

use crate::store::{StorageError, Table};

/// The version that this release makes and understands.
pub(super) const VERSION: u32 = 1;

/// An empty object store in the scope of every transaction that writes, so that the browser lets them
/// run one after another, whatever else they touch and whichever tab they are of.
///
/// Chromium (156 and before, `LevelDBScopes::Initialize`) takes two writing transactions that were
/// both under way at a kill for a damaged database, because both hold the shared lock of their
/// database and are rolled back under an exclusive one, and deletes everything. Seen in one of ten
/// kills of a browser that wrote a large record and rows at once; never again with this.
pub(super) const TURN: &str = "turn";

/// Takes every step from the version that is there to [`VERSION`], in the upgrade's transaction: an
/// error takes none of them.
pub(super) fn migrate(old_version: f64, database: &IdbDatabase) -> Result<(), JsValue> {
    if old_version < 1.0 {
        for table in Table::ALL {
            let parameters = IdbObjectStoreParameters::new();
            parameters.set_auto_increment(table == Table::Journal);
            database.create_object_store_with_optional_parameters(table.name(), &parameters)?;
        }
        database.create_object_store(TURN)?;
    }
    Ok(())
}

/// Refuses a database of the same name that something else has made.
pub(super) fn verify(database: &IdbDatabase) -> Result<(), StorageError> {
    let found = database.object_store_names();
    let mut needed = Table::ALL.iter().map(|table| table.name()).chain([TURN]);
    match needed.find(|needed| !found.contains(needed)) {
        None => Ok(()),
        Some(missing) => Err(StorageError::Unavailable(format!(
            "a database of this name exists and is not a store, as it has no {missing}"
        ))),
    }
}
