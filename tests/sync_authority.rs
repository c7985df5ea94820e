//! The authority, over a log in memory, and what is said to it.
#![cfg(not(target_arch = "wasm32"))]
#![expect(clippy::indexing_slicing, reason = "a wrong index fails the test, as it should")]

#[path = "sync/adoption.rs"]
mod adoption;
#[path = "sync/cursors.rs"]
mod cursors;
#[path = "sync/fixtures.rs"]
mod fixtures;
#[path = "sync/laws.rs"]
mod laws;
#[path = "sync/malformed.rs"]
mod malformed;
#[path = "sync/pages.rs"]
mod pages;
#[path = "sync/pushes.rs"]
mod pushes;
#[path = "sync/races.rs"]
mod races;
#[path = "sync/rules.rs"]
mod rules;
#[path = "sync/space.rs"]
mod space;
#[path = "sync/tamper.rs"]
mod tamper;
mod troubled;
