//! A new log for the browser's own database, in place of one that a kill may have cut in the middle of a record.
//!
//! Chromium keeps IndexedDB in `LevelDB`, and goes on with the log that it finds. Killed between the header of a record and
//! its bytes (two calls of the system), it leaves a header that promises bytes which never came. The next start passes over
//! it and writes behind it; the start after that one takes what stands there for those bytes, finds their checksum
//! wrong, and deletes every database of the site: one kill in a hundred of a browser that was importing lost all. To delete
//! a database makes Chromium begin another log (it compacts the range of its keys, which empties the table in memory
//! first), so that nothing stands behind half a record when the browser is killed again. Only a kill within these
//! milliseconds, after one that cut a record, still does harm.

use std::cell::Cell;

use js_sys::{Reflect, global};
use wasm_bindgen::JsCast;
use wasm_bindgen_futures::spawn_local;
use web_sys::IdbDatabase;

use super::factory;
use crate::store::StorageError;

/// A database that is there for milliseconds. Where a kill left it behind, the next one finds it.
const NAME: &str = "everfold: a fresh log";

/// Whether a connection has seen to it.
#[derive(Debug, Default)]
pub(super) struct FreshLog(Cell<bool>);

impl FreshLog {
    /// Before the first write of a connection; reading needs no new log. The write does not wait for it: what has been
    /// written behind half a record by then is in memory still, from where it goes into a table, not into the log.
    pub(super) fn begin(&self) {
        if !self.0.replace(true) && is_chromium() {
            spawn_local(async {
                // Where it cannot be had, there is nothing better than to write.
                let _ = make_and_delete().await;
            });
        }
    }
}

async fn make_and_delete() -> Result<(), StorageError> {
    if let Ok(database) = factory::open_as_it_is(NAME)?.await {
        database.unchecked_into::<IdbDatabase>().close();
    }
    let _ = factory::delete(NAME)?.await;
    Ok(())
}

/// Only Chromium says so in this way.
fn is_chromium() -> bool {
    Reflect::get(&global(), &"navigator".into())
        .and_then(|navigator| Reflect::has(&navigator, &"userAgentData".into()))
        .unwrap_or(false)
}
