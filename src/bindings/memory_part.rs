//! Stores in memory: tests and pages that keep nothing have them. With the part of seldom calls.

use std::pin::Pin;

use wasm_bindgen::JsValue;
#[cfg(feature = "parts")]
use wasm_split_helpers::wasm_split;

#[cfg(feature = "parts")]
use super::answer::Answer;
use super::answer::Answering;
use super::any_storage::AnyStorage;
use super::error::CoreError;
use crate::store::{Faults, Faulty, MemoryDatabase, MemoryStorage};

type Opened = Result<AnyStorage, CoreError>;

/// Opens or makes the database of this name, with faults on demand: tests use it.
#[cfg_attr(
    feature = "parts",
    wasm_split(tools, fallible, return_wrapper(let opening = _; { opening.await } -> Opened))
)]
pub(super) fn memory_storage(name: String, faults: Faults) -> Pin<Box<dyn Future<Output = Opened>>> {
    let storage = Faulty::new(MemoryStorage::open(&MemoryDatabase::named(&name)), faults);
    Box::pin(async move { Ok(AnyStorage::new(storage)) })
}

/// Deletes the database of this name.
#[cfg_attr(
    feature = "parts",
    wasm_split(tools, fallible, return_wrapper(let answering = _; { answering.await } -> Answer))
)]
pub(super) fn delete_memory(name: String) -> Answering {
    MemoryDatabase::delete(&name);
    Box::pin(async { Ok(JsValue::UNDEFINED) })
}
