//! The server as clients meet it: over a socket, with tokens, by words that are right and wrong.
#![expect(clippy::unwrap_used, reason = "a failure fails the test, as it should")]
#![expect(clippy::indexing_slicing, reason = "a wrong index fails the test, as it should")]

mod access;
#[path = "../../examples/ledger/account.rs"]
mod account;
mod backup;
mod bad_input;
mod commits;
mod cors;
mod keys;
mod killed;
#[path = "../../examples/ledger/rules.rs"]
mod ledger;
mod limits;
mod process;
mod rules;
mod running;
mod site;
mod stopping;
mod tails;
mod tokens;
