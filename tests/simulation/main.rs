//! A deterministic simulation of sync: the real store, replica and authority, a faulty world around them.
//!
//! A seed is a run: two to five devices of one to three tabs, 200 to 500 operations, and some of the faults of [`faults`]. Then
//! everything calms down, and must settle.
//!
//! | | holds | is checked |
//! | --- | --- | --- |
//! | I1 | what was acknowledged is confirmed once, or among the refusals of its device | at the end, by id |
//! | I2 | the confirmed log of every device is a beginning of the server's | at each answer by its hash; event by event when a tab opens and at the end |
//! | I3 | no command takes effect twice | ids in the server's log, and in each device's |
//! | I4 | versions are dense; every intent is what its decider says on the confirmed state before it | in the server's log, commit by commit |
//! | I5 | what a device holds is confirmed, then pending, without holes; states with snapshots are folds without | when a tab opens, so after every crash, and at the end |
//! | I6 | without faults everything is confirmed or refused in bounded time | an hour, 60,000 events |
//! | I7 | nothing acknowledged disappears | when a tab opens, and at the end |
//! | I8 | the chain of hashes verifies | in the server's log, commit by commit |
//!
//! `EVERFOLD_SEED=17` replays one seed and tells its story; `EVERFOLD_SEEDS=1000000` runs so many, from
//! `EVERFOLD_FIRST` on.
#![cfg(not(target_arch = "wasm32"))]
#![expect(clippy::indexing_slicing, reason = "a wrong index fails the test, as it should")]

mod faults;
mod gate;
mod ledger;
mod long_queue;
mod plants;
mod random;
mod recorded;
mod runs;
mod server;
mod shell;
mod small_scope;
mod story;
mod tab;
#[path = "../troubled/mod.rs"]
mod troubled;
mod truth;
mod weather;
mod world;

use faults::Fault;

/// How many seeds a build for speed runs, and one for finding bugs.
const SEEDS: u64 = if cfg!(debug_assertions) { 20 } else { 10_000 };

#[test]
fn whatever_goes_wrong_everybody_ends_with_the_same_log() {
    if let Some(seed) = runs::number("EVERFOLD_SEED") {
        return runs::replay(seed);
    }
    let seeds = runs::number("EVERFOLD_SEEDS").unwrap_or(SEEDS);
    let first = runs::number("EVERFOLD_FIRST").unwrap_or(0);
    let outcome = runs::run(first..first + seeds);

    println!("{}", outcome.summary());
    if let Some((seed, why)) = outcome.failed {
        runs::replay(seed);
        panic!("seed {seed} failed once, and not again: {why}");
    }
    for fault in Fault::ALL {
        assert!(
            outcome.struck(*fault) > 0 || seeds < 1_000,
            "no {} in {seeds} seeds",
            fault.name()
        );
    }
}
