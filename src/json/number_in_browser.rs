//! Numbers with a fraction or an exponent, as the browser reads them: Rust's way of it is 17 KB of wasm.

use wasm_bindgen::prelude::wasm_bindgen;

#[wasm_bindgen]
extern "C" {
    #[wasm_bindgen(js_name = Number)]
    fn number(text: &str) -> f64;
}

/// The number that `text` is, or not a number.
pub(super) fn parse(text: &str) -> f64 {
    number(text)
}
