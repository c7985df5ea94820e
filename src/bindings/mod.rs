//! What JavaScript sees: one class over the store, texts in and texts out.
//!
//! Nothing is decided here. `ts/core.ts` describes the same surface from the other side.

mod any_storage;
mod core;
mod error;
mod text;
