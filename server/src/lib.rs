//! The sync server of everfold: one log per space, in one SQLite file, over HTTP.
//!
//! `docs/protocol.md` is what it speaks, `docs/server.md` how it is run. What is right is judged by
//! [`everfold::sync`], which the client shares; here is what surrounds it: settings, access, storage, HTTP.

pub mod access;
mod http;
mod metrics;
mod program;
mod rules;
pub mod settings;
pub mod sqlite;

pub use http::{ServeError, Server};
pub use program::run;
pub use rules::NoRules;
