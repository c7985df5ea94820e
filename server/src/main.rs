//! `everfold-server`, without rules of an app. `examples/ledger` is one with rules.

use std::process::ExitCode;
use std::sync::Arc;

fn main() -> ExitCode {
    everfold_server::run(Arc::new(everfold_server::NoRules))
}
