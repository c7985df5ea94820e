//! The contract suite on IndexedDB in a window, and what only IndexedDB does.
#![cfg(target_arch = "wasm32")]

mod contract;
mod idb;
mod operations;

wasm_bindgen_test::wasm_bindgen_test_configure!(run_in_browser);
