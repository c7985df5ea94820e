//! The authority, over a log in memory.
#![cfg(not(target_arch = "wasm32"))]
#![expect(clippy::indexing_slicing, reason = "a wrong index fails the test, as it should")]

#[path = "sync/authority.rs"]
mod authority;
#[path = "sync/tamper.rs"]
mod tamper;
