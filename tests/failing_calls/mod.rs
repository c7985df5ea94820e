//! Storage calls that fail, each in turn and in each way.

use everfold::store::{Fault, Faults, StorageError, When};

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
/// how many runs that were. The scenario builds its own [`Faulty`](everfold::store::Faulty) storage from the
/// faults it is handed, and asserts what must hold; it says which failure it was given if it panics.
pub(crate) async fn fail_each_call(scenario: impl AsyncFn(Faults, &Fault)) -> u64 {
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
