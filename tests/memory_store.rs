//! The contract suite on memory, natively.
#![cfg(not(target_arch = "wasm32"))]

#[path = "memory/bound.rs"]
mod bound;
#[path = "memory/by_hand.rs"]
mod by_hand;
#[path = "memory/contention.rs"]
mod contention;
mod contract;
#[path = "memory/decided_again.rs"]
mod decided_again;
#[path = "memory/device.rs"]
mod device;
#[path = "memory/dump.rs"]
mod dump;
mod failing_calls;
#[path = "memory/faults.rs"]
mod faults;
#[path = "memory/filter.rs"]
mod filter;
#[path = "memory/fixtures.rs"]
mod fixtures;
#[path = "memory/frozen.rs"]
mod frozen;
#[path = "memory/history.rs"]
mod history;
#[path = "memory/index_fixtures.rs"]
mod index_fixtures;
#[path = "memory/interleaved.rs"]
mod interleaved;
#[path = "memory/laws.rs"]
mod laws;
#[path = "memory/many_pending.rs"]
mod many_pending;
#[path = "memory/meddling.rs"]
mod meddling;
#[path = "memory/reading.rs"]
mod reading;
#[path = "memory/rebuilding.rs"]
mod rebuilding;
#[path = "memory/row_laws.rs"]
mod row_laws;
#[path = "memory/space.rs"]
mod space;
#[path = "memory/stale.rs"]
mod stale;
#[path = "memory/sync_export.rs"]
mod sync_export;
#[path = "memory/sync_faults.rs"]
mod sync_faults;
#[path = "memory/sync_fixtures.rs"]
mod sync_fixtures;
#[path = "memory/sync_laws.rs"]
mod sync_laws;
#[path = "memory/synced.rs"]
mod synced;
#[path = "memory/tally.rs"]
mod tally;

use everfold::store::{MemoryDatabase, MemoryStorage};

/// A fresh database for one case.
struct Memory(MemoryDatabase);

impl contract::Tabs for Memory {
    type Storage = MemoryStorage;

    async fn open(&self) -> MemoryStorage {
        MemoryStorage::open(&self.0)
    }
}

macro_rules! on_memory {
    ($file:ident: $($sentence:ident)*) => {
        mod $file {
            $(
                #[test]
                fn $sentence() {
                    let tabs = crate::Memory(everfold::store::MemoryDatabase::new());
                    pollster::block_on(crate::contract::$file::$sentence(&tabs));
                }
            )*
        }
    };
}

contract::decider::decider_sentences!(on_memory);
contract::export::export_sentences!(on_memory);
contract::ingest::ingest_sentences!(on_memory);
contract::log::log_sentences!(on_memory);
contract::projection::projection_sentences!(on_memory);
contract::query::query_sentences!(on_memory);
contract::rows::rows_sentences!(on_memory);
contract::sealing::sealing_sentences!(on_memory);
contract::storage::storage_sentences!(on_memory);
