//! What a call of the core gives back.

use std::future::Future;
use std::pin::Pin;

use wasm_bindgen::JsValue;

use super::error::CoreError;
use crate::json::{self, FromJson};

pub(super) type Answer = Result<JsValue, CoreError>;

/// A call that is under way.
pub(super) type Answering = Pin<Box<dyn Future<Output = Answer>>>;

pub(super) fn or_null(document: Option<String>) -> JsValue {
    document.map_or_else(|| "null".into(), JsValue::from)
}

/// Reads an argument.
pub(super) fn parse<'a, T: FromJson<'a>>(text: &'a str) -> Result<T, CoreError> {
    json::parse(text).map_err(|error| CoreError::argument(&error))
}
