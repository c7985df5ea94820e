//! What is promised holds whichever storage call fails, and whether or not it took effect.
//!
//! A scenario is run with its first storage call failing, then its second, and so on until one run is
//! over before the failure comes; then the same with the next way to fail.
#![cfg(not(target_arch = "wasm32"))]

use everfold::store::{
    Change, Fault, Faults, Faulty, KeyRange, MemoryDatabase, MemoryStorage, Order, Read, Storage, StorageError, Table,
    When, Write, Written,
};

#[test]
fn each_of_three_appends_is_failed_in_each_way() {
    let runs = pollster::block_on(fail_each_call(async |faults, fault| {
        let database = MemoryDatabase::new();
        let storage = Faulty::new(MemoryStorage::open(&database), faults);
        let mut stored = 0;

        for _ in 0..3 {
            let record = Change::Append {
                value: vec![1],
                expected: stored + 1,
            };
            let write = Write {
                changes: vec![record],
                ..Write::default()
            };
            match storage.write(write).await {
                Ok(written) => assert_eq!(written, Written::Done),
                Err(error) => assert_eq!(error, fault.error),
            }
            stored = records(&MemoryStorage::open(&database)).await;
        }

        assert!(stored >= 2, "one failure loses one record at most: {fault:?}");
    }));

    assert_eq!(runs, 18, "three calls in six ways");
}

async fn records(storage: &impl Storage) -> u64 {
    let all = Read::Scan {
        table: Table::Journal,
        range: KeyRange::ALL,
        order: Order::Ascending,
        limit: None,
    };
    let answers = storage.read(vec![all]).await.expect("reads");
    answers.iter().flatten().count() as u64
}

/// What a real browser may answer, and when.
fn failures() -> [(When, StorageError); 6] {
    let text = String::from;
    [
        (When::Before, StorageError::QuotaExceeded),
        (When::Before, StorageError::Failed(text("UnknownError"))),
        (When::Before, StorageError::Closed(text("the connection was lost"))),
        (When::Before, StorageError::Aborted(text("AbortError"))),
        (When::Before, StorageError::Blocked(text("not finished in time"))),
        (When::After, StorageError::Closed(text("the answer was lost"))),
    ]
}

/// Runs `scenario` once for each call that it makes and each way in which that may fail, and returns
/// how many runs that were. The scenario builds its own [`Faulty`] storage from the
/// faults it is handed, and asserts what must hold; it says which failure it was given if it panics.
async fn fail_each_call(scenario: impl AsyncFn(Faults, &Fault)) -> u64 {
    let mut runs = 0;
    for (when, error) in failures() {
        for call in 1.. {
            assert!(call <= 10_000, "a scenario that never ends: {error}");
            let faults = Faults::new();
            let fault = Fault {
                call,
                when,
                error: error.clone(),
            };
            faults.plan(fault.clone());
            scenario(faults.clone(), &fault).await;
            if faults.is_waiting() {
                break;
            }
            runs += 1;
        }
    }
    runs
}
