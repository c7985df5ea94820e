//! Keys, ranges and values as JavaScript has them.

use js_sys::{Array, Uint8Array};
use wasm_bindgen::{JsCast, JsValue};
use web_sys::IdbKeyRange;

use super::error;
use crate::store::{Bound, Key, KeyRange, StorageError};

pub(super) fn to_js(key: &Key) -> JsValue {
    match key {
        Key::Number(number) => JsValue::from_f64(*number),
        Key::Text(text) => JsValue::from_str(text),
        Key::List(parts) => parts.iter().map(to_js).collect::<Array>().into(),
    }
}

pub(super) fn from_js(value: &JsValue) -> Result<Key, StorageError> {
    if let Some(number) = value.as_f64() {
        Ok(Key::Number(number))
    } else if let Some(text) = value.as_string() {
        Ok(Key::Text(text))
    } else if let Some(parts) = value.dyn_ref::<Array>() {
        parts
            .iter()
            .map(|part| from_js(&part))
            .collect::<Result<_, _>>()
            .map(Key::List)
    } else {
        Err(StorageError::Failed(format!(
            "a key of another kind: {}",
            error::described(value)
        )))
    }
}

pub(super) fn bytes_to_js(bytes: &[u8]) -> JsValue {
    Uint8Array::new_from_slice(bytes).into()
}

pub(super) fn bytes_from_js(value: &JsValue) -> Result<Vec<u8>, StorageError> {
    value
        .dyn_ref::<Uint8Array>()
        .map(Uint8Array::to_vec)
        .ok_or_else(|| StorageError::Failed(format!("a value that is not bytes: {}", error::described(value))))
}

/// The range as a query; every key is `undefined`. The range must not be
/// [empty](KeyRange::is_empty), as IndexedDB throws for such a one.
pub(super) fn range_to_js(range: &KeyRange) -> Result<JsValue, StorageError> {
    let (lower, lower_open) = bound(&range.lower);
    let (upper, upper_open) = bound(&range.upper);
    match (lower, upper) {
        (None, None) => return Ok(JsValue::UNDEFINED),
        (Some(lower), None) => IdbKeyRange::lower_bound_with_open(&lower, lower_open),
        (None, Some(upper)) => IdbKeyRange::upper_bound_with_open(&upper, upper_open),
        (Some(lower), Some(upper)) => {
            IdbKeyRange::bound_with_lower_open_and_upper_open(&lower, &upper, lower_open, upper_open)
        }
    }
    .map(JsValue::from)
    .map_err(|thrown| error::thrown(&thrown))
}

fn bound(bound: &Bound) -> (Option<JsValue>, bool) {
    match bound {
        Bound::Open => (None, false),
        Bound::Including(key) => (Some(to_js(key)), false),
        Bound::Excluding(key) => (Some(to_js(key)), true),
    }
}
