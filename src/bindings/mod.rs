//! What JavaScript sees: one class over the store, texts in and texts out.
//!
//! Nothing is decided here. `ts/core.ts` describes the same surface from the other side.

mod answer;
mod any_storage;
mod call;
mod core;
mod error;
mod memory_part;
pub mod module;
mod sync_part;
mod text;
mod tool_part;

pub use core::Core;
pub use module::{Folding, ModuleError};
