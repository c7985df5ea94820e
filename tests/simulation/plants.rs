//! Planted bugs, and that each is found: what the simulation is worth.
#![cfg(feature = "planted-bugs")]

use std::fmt::Write;

use everfold::plant::{Plant, plant};

use crate::{runs, small_scope};

/// Each is found within so many seeds.
const SEEDS: u64 = 1_000;

/// Those that must be found.
const PLANTS: &[Plant] = &[
    Plant::ReadsNotDirty,
    Plant::RefusedNotDirty,
    Plant::ChangedNotDirty,
    Plant::CursorApart,
    Plant::RefusalApart,
    Plant::PutForAdd,
    Plant::FenceForgotten,
    Plant::ConfirmedStaysPending,
    Plant::AcceptedDecidedAgain,
    Plant::AttemptNotRaised,
    Plant::PushNotFromHead,
    Plant::UndecidedPushed,
    Plant::PendingSnapshot,
    Plant::VersionsBeforeIds,
    Plant::IdsForgotten,
    Plant::VersionsUnchecked,
    Plant::ReadsUnchecked,
    Plant::ConflictGoesOn,
    Plant::PageWithHole,
    Plant::EpochIgnored,
    Plant::WinnerNotDirty,
    Plant::AppendedForgotten,
];

#[test]
fn every_planted_bug_is_found() {
    let mut told = String::new();
    let mut missed = Vec::new();
    for bug in PLANTS {
        let seeds = runs::number("EVERFOLD_SEEDS").unwrap_or(SEEDS);
        let outcome = runs::run_with(0..seeds, || plant(Some(*bug)));
        let _ = match &outcome.failed {
            Some((seed, _)) => writeln!(told, "{bug:?}: found after {} seeds, by {seed}", outcome.seeds),
            None => writeln!(told, "{bug:?}: not found in {} seeds", outcome.seeds),
        };
        if outcome.failed.is_none() {
            missed.push(bug);
        }
    }

    println!("{told}");
    assert!(missed.is_empty(), "not found: {missed:?}");
}

/// It takes a copied profile, a stranger in between and a commit that fits nevertheless: seldom by chance, and among all
/// the ways that twins can go.
#[test]
fn a_push_that_goes_on_after_another_attempt_is_found() {
    plant(Some(Plant::OtherAttemptGoesOn));
    let found = small_scope::explore_twins();
    plant(None);

    let why = found.expect("is found");
    assert!(why.starts_with("I4"), "{why}");
}
