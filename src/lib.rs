//! Event sourcing for the browser.

pub mod store;
