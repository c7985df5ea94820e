//! Why something failed in JavaScript, which knows what the browser's exceptions mean.

use wasm_bindgen::prelude::wasm_bindgen;
use wasm_bindgen::{JsCast, JsValue};

use super::VERSION;
use crate::store::StorageError;

#[wasm_bindgen]
extern "C" {
    /// With what every promise of `database.js` is rejected.
    type Failure;

    #[wasm_bindgen(method, getter)]
    fn kind(this: &Failure) -> u32;

    #[wasm_bindgen(method, getter)]
    fn message(this: &Failure) -> String;
}

pub(super) fn meaning(rejected: JsValue) -> StorageError {
    let failure: Failure = rejected.unchecked_into();
    let message = failure.message();
    match failure.kind() {
        1 => StorageError::QuotaExceeded,
        2 => StorageError::Unavailable(message),
        3 => StorageError::Blocked(message),
        4 => StorageError::Closed(message),
        5 => StorageError::Aborted(message),
        6 => StorageError::Newer {
            found: message.parse().unwrap_or_default(),
            known: u64::from(VERSION),
        },
        7 => StorageError::Foreign(message),
        _ => StorageError::Failed(message),
    }
}
