//! Adoption and recovery, natively: devices over memory, and an authority whose log is taken back to a backup.
#![cfg(not(target_arch = "wasm32"))]
#![expect(clippy::indexing_slicing, reason = "a wrong index fails the test, as it should")]

#[path = "recovery/adoption.rs"]
mod adoption;
#[path = "recovery/device.rs"]
mod device;
mod failing_calls;
#[path = "recovery/faults.rs"]
mod faults;
#[path = "recovery/laws.rs"]
mod laws;
#[path = "recovery/orphans.rs"]
mod orphans;
#[path = "recovery/rewind.rs"]
mod rewind;
