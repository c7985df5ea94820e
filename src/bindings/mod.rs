//! What JavaScript sees: one class over the store, texts in and texts out.
//!
//! Nothing is decided here. `ts/core.ts` describes the same surface from the other side.

mod any_storage;
mod core;
mod error;
pub mod module;
mod text;

pub use core::Core;
pub use module::{Folding, ModuleError};
