//! A new log for the browser's own database, in place of one that a kill may have cut in the middle of a record.
//!
//! Chromium keeps IndexedDB in `LevelDB`, and goes on with the log that it finds. Killed between the header of a record and
//! its bytes (two calls of the system), it leaves a header that promises bytes which never came. The next start passes over
//! it and writes behind it, if only to undo what was under way; the start after that one takes what stands there for those
//! bytes, finds their checksum wrong, and deletes every database of the site: one kill in a hundred of a browser that was
//! importing lost all. To delete a database makes Chromium begin another log (it compacts the range of its keys, which
//! empties the table in memory first), so that nothing stands behind half a record at the next start.
//!
//! So every connection does that soon after it was opened, out of the way of the first reads, and the first write waits for
//! it. What is left is a browser that ends again before that.

use std::cell::Cell;

use futures_util::future::{Either, select};
use futures_util::lock::Mutex;
use gloo_timers::future::TimeoutFuture;
use js_sys::{Reflect, global};
use wasm_bindgen::JsCast;
use wasm_bindgen_futures::spawn_local;
use web_sys::IdbDatabase;

use super::factory;
use crate::store::StorageError;

/// A database that is there for milliseconds. Where a kill left it behind, the next one finds it.
const NAME: &str = "everfold: a fresh log";

/// So many milliseconds after it was opened a connection sees to it, if it has written nothing: a page that starts reads
/// first what it shows.
const SOON: u32 = 300;

/// A frozen tab may hold that database open: then writing goes on without a new log, after so many milliseconds.
const PATIENCE: u32 = 1_000;

/// Whether the log is new, as far as a connection knows.
#[derive(Debug, Default)]
pub(super) struct FreshLog {
    done: Cell<bool>,
    beginning: Mutex<()>,
}

impl FreshLog {
    /// What a connection that only reads does.
    pub(super) async fn begin_soon(&self) {
        TimeoutFuture::new(SOON).await;
        self.begin().await;
    }

    /// Before every write of a connection; only the first ones wait.
    pub(super) async fn begin(&self) {
        if self.done.get() {
            return;
        }
        let _beginning = self.beginning.lock().await;
        if !self.done.get() {
            if is_chromium() {
                let making = select(Box::pin(make_and_delete()), TimeoutFuture::new(PATIENCE));
                if let Either::Right(((), late)) = making.await {
                    // A database that opens after all, and that nobody closes, would be in everybody's way.
                    spawn_local(async {
                        let _ = late.await;
                    });
                }
            }
            self.done.set(true);
        }
    }
}

/// Where it cannot be had, there is nothing better than to write.
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
