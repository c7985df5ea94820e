//! What windows and workers run: the contract suite on IndexedDB, and the browser's own events.

#![expect(clippy::unwrap_used, reason = "what fails here fails the test, as it should")]

mod events;
mod faults;
mod random;

use std::sync::atomic::{AtomicU32, Ordering};

use everfold::store::idb::IdbStorage;

use crate::contract::Tabs;

/// A fresh database for one case.
pub(crate) struct Idb {
    pub(crate) name: String,
}

impl Idb {
    /// A name that no other case, run or page has used.
    pub(crate) fn new(case: &str) -> Self {
        static CASES: AtomicU32 = AtomicU32::new(0);
        let number = CASES.fetch_add(1, Ordering::Relaxed);
        let moment = js_sys::Date::now();
        Self {
            name: format!("{case} {number} {moment} {}", js_sys::Math::random()),
        }
    }
}

impl Tabs for Idb {
    type Storage = IdbStorage;

    async fn open(&self) -> IdbStorage {
        IdbStorage::open(&self.name).await.expect("opens")
    }
}

macro_rules! on_idb {
    ($file:ident: $($sentence:ident)*) => {
        mod $file {
            $(
                #[wasm_bindgen_test::wasm_bindgen_test]
                async fn $sentence() {
                    let tabs = crate::idb::Idb::new(stringify!($sentence));
                    crate::contract::$file::$sentence(&tabs).await;
                }
            )*
        }
    };
}

crate::contract::decider::decider_sentences!(on_idb);
crate::contract::export::export_sentences!(on_idb);
crate::contract::ingest::ingest_sentences!(on_idb);
crate::contract::log::log_sentences!(on_idb);
crate::contract::projection::projection_sentences!(on_idb);
crate::contract::query::query_sentences!(on_idb);
crate::contract::rows::rows_sentences!(on_idb);
crate::contract::sealing::sealing_sentences!(on_idb);
crate::contract::storage::storage_sentences!(on_idb);
