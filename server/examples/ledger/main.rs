//! The server with the rules of a ledger: a withdrawal that is not covered is refused, whoever sends it.
//!
//! `cargo run -p everfold-server --example ledger -- --dev` is everything that the plain server is, flags and all.

mod account;
mod rules;

use std::process::ExitCode;
use std::sync::Arc;

fn main() -> ExitCode {
    everfold_server::run(Arc::new(rules::LedgerRules))
}
