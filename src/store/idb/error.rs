//! What the browser's exceptions mean for us.
//!
//! Browsers agree on few of the names and on none of the texts; those here were seen.

use wasm_bindgen::{JsCast, JsValue};
use web_sys::DomException;

use crate::store::StorageError;

/// Parts of the texts with which Safari says that its storage process is gone.
const LOST: [&str; 2] = ["Indexed Database server", "internal error was encountered"];

/// What a call threw.
pub(super) fn thrown(value: &JsValue) -> StorageError {
    match value.dyn_ref::<DomException>() {
        // The connection is closing. Firefox says it too after the quota was used up, until one opens again.
        Some(exception) if exception.name() == "InvalidStateError" => StorageError::Closed(exception.message()),
        Some(exception) => meaning(exception),
        None => StorageError::Failed(text(value)),
    }
}

/// Why the browser aborted a transaction.
pub(super) fn aborted(error: Option<&DomException>) -> StorageError {
    match error {
        // We abort only with an outcome of our own. The browser aborts without a reason when it takes the
        // connection away, and whether it had committed before cannot be known.
        None => StorageError::Closed("the browser ended the transaction".to_owned()),
        Some(exception) => match exception.name().as_str() {
            "AbortError" => StorageError::Closed(exception.message()),
            "ConstraintError" => StorageError::Aborted(exception.message()),
            _ => meaning(exception),
        },
    }
}

/// Why a database does not open, or is not deleted.
pub(super) fn opening(error: Option<DomException>) -> StorageError {
    match error {
        Some(exception) if exception.name() == "QuotaExceededError" => StorageError::QuotaExceeded,
        Some(exception) => StorageError::Unavailable(exception.message()),
        None => StorageError::Unavailable("it does not open".to_owned()),
    }
}

/// Why a database cannot even be asked for: there is nothing to ask, or it refuses, as it does in a sandboxed frame.
pub(super) fn asking(thrown: &JsValue) -> StorageError {
    let reason = if thrown.is_instance_of::<DomException>() {
        "this page may not use IndexedDB"
    } else {
        "there is no IndexedDB here"
    };
    StorageError::Unavailable(reason.to_owned())
}

fn meaning(exception: &DomException) -> StorageError {
    let message = exception.message();
    match exception.name().as_str() {
        "QuotaExceededError" => StorageError::QuotaExceeded,
        "UnknownError" if LOST.iter().any(|part| contains(&message, part)) => StorageError::Closed(message),
        "SecurityError" => StorageError::Unavailable(message),
        name => StorageError::Failed(format!("{name}: {message}")),
    }
}

/// For short texts: Rust's own search, made for long ones, would be 2 KB.
fn contains(text: &str, part: &str) -> bool {
    text.as_bytes()
        .windows(part.len())
        .any(|window| window == part.as_bytes())
}

/// What the browser makes of a value: Rust's way to print any value, a float too, would be 8 KB.
pub(super) fn described(value: &JsValue) -> String {
    let text = js_sys::JSON::stringify(value).ok();
    text.and_then(|text| text.as_string()).unwrap_or_default()
}

fn text(value: &JsValue) -> String {
    value
        .dyn_ref::<js_sys::Error>()
        .map_or_else(|| described(value), |error| String::from(error.message()))
}
