//! IndexedDB answers what memory answers, whatever is read and written.

use everfold::store::{KeyRange, MemoryDatabase, MemoryStorage, Order, Read, Storage, Table, Written};
use wasm_bindgen_test::wasm_bindgen_test;

use super::Idb;
use crate::contract::Tabs;
use crate::operations::{Choices, Operation};

#[wasm_bindgen_test]
async fn indexeddb_answers_what_memory_answers() {
    for seed in 1..=20 {
        let tabs = Idb::new("random");
        let idb = tabs.open().await;
        let memory = MemoryStorage::open(&MemoryDatabase::new());
        let bytes = bytes_of_seed(seed);
        let mut choices = Choices(&bytes);
        let mut next = 1;

        while !choices.is_empty() {
            let operation = Operation::choose(&mut choices, next);
            match &operation {
                Operation::Read(reads) => {
                    let expected = memory.read(reads.clone()).await;
                    assert_eq!(idb.read(reads.clone()).await, expected, "seed {seed}: {operation:?}");
                }
                Operation::Write(write) => {
                    let expected = memory.write(write.clone()).await;
                    assert_eq!(idb.write(write.clone()).await, expected, "seed {seed}: {operation:?}");
                    if expected == Ok(Written::Done) {
                        next = operation.next_number(next);
                    }
                }
            }
        }

        let reads: Vec<Read> = Table::ALL.map(everything).into();
        assert_eq!(
            idb.read(reads.clone()).await,
            memory.read(reads).await,
            "seed {seed}, at its end"
        );
    }
}

fn everything(table: Table) -> Read {
    Read::Scan {
        table,
        range: KeyRange::ALL,
        order: Order::Ascending,
        limit: None,
    }
}

/// `SplitMix64`.
fn bytes_of_seed(seed: u64) -> Vec<u8> {
    let mut state = seed;
    let words = std::iter::repeat_with(|| {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut word = state;
        word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        word ^ (word >> 31)
    });
    words.take(200).flat_map(u64::to_le_bytes).collect()
}
