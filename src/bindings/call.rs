//! A call by its name: what leads into a part of the engine is one function each, whatever is called in there.

use js_sys::{Array, Function, Uint8Array};
use wasm_bindgen::{JsCast, JsValue};

use super::error::CoreError;

/// A call of a part. `ts/core.ts` has the names, and says what each takes: what is missing, or something else, is empty here.
pub(super) struct Call {
    pub(super) name: String,
    arguments: Array,
}

impl Call {
    pub(super) fn new(name: String, arguments: Array) -> Self {
        Self { name, arguments }
    }

    pub(super) fn text(&self, place: u32) -> String {
        self.arguments.get(place).as_string().unwrap_or_default()
    }

    pub(super) fn number(&self, place: u32) -> f64 {
        self.arguments.get(place).as_f64().unwrap_or_default()
    }

    pub(super) fn flag(&self, place: u32) -> bool {
        self.arguments.get(place).is_truthy()
    }

    pub(super) fn bytes(&self, place: u32) -> Vec<u8> {
        let bytes = self.arguments.get(place).dyn_into::<Uint8Array>();
        bytes.map(|bytes| bytes.to_vec()).unwrap_or_default()
    }

    /// What the function gives back that was given, if that is one and does not throw.
    pub(super) fn answer_of(&self, place: u32) -> Option<JsValue> {
        let function: Function = self.arguments.get(place).dyn_into().ok()?;
        function.call0(&JsValue::UNDEFINED).ok()
    }

    /// There is no call of this name.
    pub(super) fn unknown(&self) -> CoreError {
        CoreError::argument(&format!("there is no call {}", self.name))
    }
}
