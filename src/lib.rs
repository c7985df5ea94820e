//! Event sourcing for the browser.
//!
//! Events are appended to streams in commits, kept in a packed log, and folded into states and rows.
//! This crate is the engine under the npm package `everfold` and is used by itself in Rust web apps.
//!
//! Files are concepts ([`event`], [`stream`], [`commit`]), folders are mechanisms: `log` is the
//! stored format, [`store`] everything that reads and writes it.

#[cfg(all(target_arch = "wasm32", feature = "bindings"))]
mod bindings;
pub mod commit;
pub mod event;
mod log;
pub mod position;
pub mod store;
pub mod stream;

pub use log::{FORMAT, FormatError};
